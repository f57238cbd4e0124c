//! Semantic tokens: five numbers a word, each place relative to the one before.

use tower_lsp_server::ls_types::{
    SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokensEdit, SemanticTokensLegend,
};

use super::View;
use crate::answer::tokens::{Kind, Token};

/// The words for types and modifiers, in the order of their numbers.
pub fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: vec![
            SemanticTokenType::KEYWORD,
            SemanticTokenType::FUNCTION,
            SemanticTokenType::CLASS,
            SemanticTokenType::PARAMETER,
            SemanticTokenType::ENUM_MEMBER,
            SemanticTokenType::TYPE,
            SemanticTokenType::PROPERTY,
            SemanticTokenType::NUMBER,
            SemanticTokenType::STRING,
            SemanticTokenType::COMMENT,
            SemanticTokenType::OPERATOR,
            SemanticTokenType::MACRO,
        ],
        token_modifiers: vec![
            SemanticTokenModifier::DECLARATION,
            SemanticTokenModifier::DEFAULT_LIBRARY,
            SemanticTokenModifier::DOCUMENTATION,
        ],
    }
}

fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Keyword => 0,
        Kind::Syscall => 1,
        Kind::Group => 2,
        Kind::Parameter => 3,
        Kind::Constant => 4,
        Kind::Arch | Kind::Type => 5,
        Kind::Flag => 6,
        Kind::Number => 7,
        Kind::Text => 8,
        Kind::Comment => 9,
        Kind::Operator => 10,
        Kind::Action => 11,
    }
}

/// Tokens as the protocol counts them.
pub fn encode(view: View<'_>, tokens: &[Token]) -> Vec<SemanticToken> {
    let (mut line, mut start) = (0, 0);
    let mut encoded = Vec::with_capacity(tokens.len());
    for token in tokens {
        let range = view.range(token.span);
        // A token that an unclosed string carries over a line's end cannot be said.
        if range.start.line != range.end.line || (range.start.line, range.start.character) < (line, start) {
            continue;
        }
        let delta_line = range.start.line - line;
        let delta_start = if delta_line == 0 { range.start.character - start } else { range.start.character };
        encoded.push(SemanticToken {
            delta_line,
            delta_start,
            length: range.end.character - range.start.character,
            token_type: number(token.kind),
            token_modifiers_bitset: u32::from(token.defines)
                | u32::from(token.builtin) << 1
                | u32::from(token.documents) << 2,
        });
        (line, start) = (range.start.line, range.start.character);
    }
    encoded
}

/// What changed: one run of tokens by another. The protocol counts numbers, of which a token has five.
pub fn difference(old: &[SemanticToken], new: &[SemanticToken]) -> Vec<SemanticTokensEdit> {
    let front = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let back = old[front..].iter().rev().zip(new[front..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (gone, come) = (&old[front..old.len() - back], &new[front..new.len() - back]);
    if gone.is_empty() && come.is_empty() {
        return Vec::new();
    }
    let narrow = |count: usize| u32::try_from(count * 5).unwrap_or(u32::MAX);
    vec![SemanticTokensEdit { start: narrow(front), delete_count: narrow(gone.len()), data: Some(come.to_vec()) }]
}

//! The lossless tree: every token of a text with its place and the rules that it belongs to.
//!
//! ```text
//! default deny        file 0..12
//!                       statement 0..12
//!                         default 0..12
//!                           kw_default 0..7
//!                           action 8..12
//!                             action_word 8..12
//! ```
//!
//! Nodes lie in one list in the order of the text, parents first, each with the index where its subtree
//! ends: walking needs no recursion, and dropping costs nothing. Comments and blanks are the gaps
//! between tokens; [`File::comments`](crate::ast::File::comments) lists the former.
//!
//! INVARIANT: children lie inside their parents and do not overlap; spans end with their last token,
//! never with blanks behind it.

use pest::Token;
use pest::iterators::Pairs;

use crate::ast::Span;
pub use crate::syntax::Rule;

/// A node's index in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

/// One rule that matched, or one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Which rule of the grammar.
    pub rule: Rule,
    /// Where; empty for what is missing.
    pub span: Span,
    /// The index behind the last node of the subtree.
    end: u32,
}

/// All nodes of a text.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// A tree with nothing in it but its root.
    pub(crate) fn new(length: usize) -> Self {
        Self { nodes: vec![Node { rule: Rule::file, span: Span::new(0, length), end: 1 }] }
    }

    /// Adds what pest found in the part of the text that begins at `base`.
    pub(crate) fn append(&mut self, pairs: Pairs<'_, Rule>, base: usize) {
        let mut open: Vec<usize> = Vec::new();
        for token in pairs.tokens() {
            match token {
                Token::Start { rule: Rule::file | Rule::EOI | Rule::line_comment | Rule::block_comment, .. }
                | Token::End { rule: Rule::file | Rule::EOI | Rule::line_comment | Rule::block_comment, .. } => {}
                Token::Start { rule, pos } => {
                    open.push(self.nodes.len());
                    let start = base + pos.pos();
                    self.nodes.push(Node { rule, span: Span::new(start, start), end: 0 });
                }
                Token::End { pos, .. } => {
                    let Some(index) = open.pop() else { continue };
                    let leaf = index + 1 == self.nodes.len();
                    // Pest counts the blanks before an absent optional part to the rule: take the children's end.
                    let end = if leaf {
                        Span::new(0, base + pos.pos()).end
                    } else {
                        let inner = self.nodes[index + 1..].iter().filter(|node| node.span.start < node.span.end);
                        // Leaves only: an inner node never ends behind its last leaf.
                        inner.map(|node| node.span.end).next_back().unwrap_or(self.nodes[index].span.start)
                    };
                    let length = self.nodes.len();
                    let node = &mut self.nodes[index];
                    node.span.end = end;
                    node.end = u32::try_from(length).unwrap_or(u32::MAX);
                }
            }
        }
        self.nodes[0].end = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
    }

    /// The whole file.
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// The node of that index.
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.0 as usize]
    }

    /// Its rule.
    pub fn rule(&self, id: NodeId) -> Rule {
        self.node(id).rule
    }

    /// Its place.
    pub fn span(&self, id: NodeId) -> Span {
        self.node(id).span
    }

    /// The nodes directly below, in the order of the text.
    pub fn children(&self, id: NodeId) -> Children<'_> {
        Children { tree: self, next: id.0 + 1, end: self.node(id).end }
    }

    /// The first child of that rule.
    pub fn child(&self, id: NodeId, rule: Rule) -> Option<NodeId> {
        self.children(id).find(|&child| self.rule(child) == rule)
    }

    /// Whether nothing is below: a token, a broken fragment, or something missing.
    pub fn is_leaf(&self, id: NodeId) -> bool {
        self.node(id).end == id.0 + 1
    }

    /// Every token in the order of the text; what is missing is left out.
    pub fn tokens(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0u32..).map(NodeId).take(self.nodes.len()).skip(1).filter(|&id| {
            let span = self.span(id);
            self.is_leaf(id) && span.start < span.end
        })
    }

    /// The nodes around `offset`, outermost first: what an editor's "expand selection" walks backwards.
    pub fn path_to(&self, offset: u32) -> Vec<NodeId> {
        let mut path = vec![self.root()];
        let mut at = self.root();
        // Where two tokens touch, the later one wins: a cursor before a word belongs to it.
        while let Some(next) = self.children(at).filter(|&child| self.span(child).touches(offset)).last() {
            path.push(next);
            at = next;
        }
        path
    }
}

/// Iterator of [`Tree::children`].
#[derive(Debug, Clone)]
pub struct Children<'a> {
    tree: &'a Tree,
    next: u32,
    end: u32,
}

impl Iterator for Children<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        if self.next >= self.end {
            return None;
        }
        let id = NodeId(self.next);
        self.next = self.tree.node(id).end;
        Some(id)
    }
}

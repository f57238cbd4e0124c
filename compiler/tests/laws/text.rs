//! Text whose parts know whether their order matters.
//!
//! ```text
//! deny [ read | close | socket( [ family == 1 | type == 2 ] ) ]      the parts in brackets can be shuffled
//! ```

use super::choices::Stream;

#[derive(Debug, Clone)]
pub enum Text {
    Word(String),
    Row(Vec<Text>),
    /// Things that may stand in any order.
    Any {
        open: &'static str,
        between: &'static str,
        close: &'static str,
        items: Vec<Text>,
    },
}

pub fn word(text: impl Into<String>) -> Text {
    Text::Word(text.into())
}

pub fn row<const N: usize>(parts: [Text; N]) -> Text {
    Text::Row(parts.into())
}

/// `{ a, b }`
pub fn braces(items: Vec<Text>) -> Text {
    Text::Any { open: "{", between: ",", close: "}", items }
}

/// `{ a b }`: statements.
pub fn block(items: Vec<Text>) -> Text {
    Text::Any { open: "{\n", between: "\n", close: "\n}", items }
}

impl Text {
    /// The words as they stand.
    pub fn plain(&self) -> String {
        let mut words = Vec::new();
        self.collect(&mut None, &mut words);
        words.join(" ")
    }

    /// The same in another order, where none matters.
    pub fn shuffled(&self, stream: &mut Stream) -> String {
        let mut words = Vec::new();
        self.collect(&mut Some(stream), &mut words);
        words.join(" ")
    }

    /// The same with other blanks and comments between the words.
    pub fn respaced(&self, stream: &mut Stream) -> String {
        let mut words = Vec::new();
        self.collect(&mut None, &mut words);
        let mut text = String::new();
        for word in words {
            text.push_str(&word);
            text.push_str(stream.one::<&str>(&[
                " ",
                " ",
                "  ",
                "\n",
                "\t",
                "\r\n",
                " /* a, b } */ ",
                " // ) {\n",
                "/**/",
            ]));
        }
        text
    }

    fn collect(&self, stream: &mut Option<&mut Stream>, words: &mut Vec<String>) {
        match self {
            Self::Word(word) => words.push(word.clone()),
            Self::Row(parts) => parts.iter().for_each(|part| part.collect(stream, words)),
            Self::Any { open, between, close, items } => {
                let mut order: Vec<&Self> = items.iter().collect();
                if let Some(stream) = stream {
                    for last in (1..order.len()).rev() {
                        order.swap(last, stream.below(last + 1));
                    }
                }
                words.extend((!open.is_empty()).then(|| (*open).to_owned()));
                for (index, item) in order.into_iter().enumerate() {
                    words.extend((index > 0).then(|| (*between).to_owned()));
                    item.collect(stream, words);
                }
                words.extend((!close.is_empty()).then(|| (*close).to_owned()));
            }
        }
    }
}

//! The document of the built-in `mappings.toml`, as the build script read it. Reading the TOML at each start
//! would cost a Lambda function about 0.5 ms.
//!
//! A number is a `u16`, least significant byte first. A text is its length in bytes and its UTF-8. A table is
//! its length, and for each entry the key's position, the key and the node. A node is its position, the number
//! of its kind, and its content. A position is a line and a column.

use std::{borrow::Cow, sync::Arc};

use super::document::{Content, Key, Node, Position, Table};

const DOCUMENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mappings.bin"));

/// Returns the document.
pub(super) fn document() -> Table<'static> {
    // A test proves that it can be read.
    Reader { file: "mappings.toml".into(), rest: DOCUMENT }.table().unwrap_or_default()
}

struct Reader {
    file: Arc<str>,
    rest: &'static [u8],
}

impl Reader {
    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u16::from_le_bytes(*number).into())
    }

    fn text(&mut self) -> Option<&'static str> {
        let length = self.number()?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        str::from_utf8(text).ok()
    }

    fn position(&mut self) -> Option<Position> {
        Some(Position { file: self.file.clone(), line: self.number()?, column: self.number()? })
    }

    fn table(&mut self) -> Option<Table<'static>> {
        self.list(|reader| {
            let (at, name) = (reader.position()?, Cow::Borrowed(reader.text()?));
            Some((Key { at, name }, reader.node()?))
        })
    }

    fn node(&mut self) -> Option<Node<'static>> {
        let at = self.position()?;
        let content = match self.number()? {
            0 => Content::Text(self.text()?.into()),
            1 => Content::Scalar(serde_json::from_str(self.text()?).ok()?),
            2 => Content::Array(self.list(Self::node)?),
            _ => Content::Table(self.table()?),
        };
        Some(Node { at, content })
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(item(self)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use crate::mappings::{BUILT_IN, document};

    #[test]
    fn the_build_read_the_document_of_the_file() {
        assert_eq!(super::document(), document::parse("mappings.toml", BUILT_IN).unwrap());
    }
}

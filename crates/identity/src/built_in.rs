//! The built-in files in `providers/`, as the build script read them. Reading TOML at each start would cost a
//! Lambda function about 1 ms. A file is decoded when its provider is needed.
//!
//! A number is a `u16`, least significant byte first. A text is its length in bytes and its UTF-8. A table is
//! its length, and for each entry the key's position, the key and the node. A node is its position, the number
//! of its kind, and its content. A position is a line and a column.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use crate::{
    declaration,
    document::{Content, Key, Node, Position, Table},
    faults::Faults,
    provider::Provider,
};

/// A built-in file.
#[derive(Debug)]
pub(crate) struct BuiltInFile {
    /// Its provider, and the table in it.
    pub name: &'static str,
    path: &'static str,
    document: &'static [u8],
    /// The provider that it declares. A provider that is code has only rules in its file.
    pub provider: Option<LazyLock<&'static Provider>>,
}

// FILES, the built-in files in the order of their names.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The text of each built-in file, with the name of its provider. Its comments are its documentation.
pub const TEXTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// Returns the document of the file with this name. Without such a file, it is empty.
pub(crate) fn document(name: &str) -> Table<'static> {
    let file = FILES.iter().find(|file| file.name == name);
    // A test proves that each file can be read.
    let read = file.and_then(|file| Reader { file: file.path.into(), rest: file.document }.table());
    read.unwrap_or_default()
}

/// Returns the provider that the file with this name declares.
fn declared(name: &str) -> &'static Provider {
    let document = document(name);
    let mut faults = Faults::default();
    let table = document.first().and_then(|(key, node)| Some((key, faults.table(node)?)));
    let provider = table.and_then(|(key, table)| declaration::provider(name, &key.at, table, &mut faults));
    // A test proves that no built-in file has a fault.
    provider.unwrap_or(&crate::provider::WEBHOOK)
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
    use super::*;
    use crate::document;

    #[test]
    fn the_build_read_the_documents_of_the_files() {
        for (file, (name, text)) in FILES.iter().zip(TEXTS) {
            assert_eq!(super::document(name), document::parse(file.path, text).unwrap(), "{name}");
        }
        assert_eq!(FILES.len(), TEXTS.len());
    }

    #[test]
    fn every_built_in_declaration_is_read() {
        for file in &FILES {
            let Some(provider) = &file.provider else { continue };
            assert_eq!(provider.route, file.name);
        }
    }
}

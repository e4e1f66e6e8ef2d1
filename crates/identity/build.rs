//! Reads `mappings.toml`, so that a program need not read it at each start. `src/mappings/built_in.rs` describes
//! the form in which the document is stored.

use std::{env, error::Error, fs, path::Path};

use document::{Content, Node, Position, Table};

#[allow(dead_code, reason = "a build reads one document and merges none")]
#[path = "src/mappings/document.rs"]
mod document;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=mappings.toml");
    let text = fs::read_to_string("mappings.toml")?;
    let document = document::parse("mappings.toml", &text).map_err(|fault| fault.to_string())?;
    let mut bytes = Vec::new();
    write_table(&document, &mut bytes)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("mappings.bin"), bytes)?;
    Ok(())
}

fn write_table(table: &Table<'_>, bytes: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    write_number(table.len(), bytes)?;
    for (key, node) in table {
        write_position(&key.at, bytes)?;
        write_text(&key.name, bytes)?;
        write_node(node, bytes)?;
    }
    Ok(())
}

fn write_node(node: &Node<'_>, bytes: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    write_position(&node.at, bytes)?;
    match &node.content {
        Content::Text(text) => {
            write_number(0, bytes)?;
            write_text(text, bytes)
        }
        Content::Scalar(value) => {
            write_number(1, bytes)?;
            write_text(&value.to_string(), bytes)
        }
        Content::Array(items) => {
            write_number(2, bytes)?;
            write_number(items.len(), bytes)?;
            items.iter().try_for_each(|item| write_node(item, bytes))
        }
        Content::Table(table) => {
            write_number(3, bytes)?;
            write_table(table, bytes)
        }
        Content::Date => Err(format!("{}: JSON has no such value", node.at).into()),
    }
}

fn write_position(at: &Position, bytes: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    write_number(at.line, bytes)?;
    write_number(at.column, bytes)
}

fn write_text(text: &str, bytes: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    write_number(text.len(), bytes)?;
    bytes.extend(text.as_bytes());
    Ok(())
}

fn write_number(number: usize, bytes: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    bytes.extend(u16::try_from(number)?.to_le_bytes());
    Ok(())
}

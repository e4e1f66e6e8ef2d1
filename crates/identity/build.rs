//! Reads the files in `providers/`, so that a program need not read TOML at each start.
//! `src/built_in.rs` describes the form in which they are stored.

use std::{env, error::Error, fmt::Write, fs, path::Path};

use document::{Content, Node, Position, Table};

#[allow(dead_code, reason = "a build reads documents and merges none")]
#[path = "src/document.rs"]
mod document;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=providers");
    let (out, folder) = (env::var("OUT_DIR")?, env::var("CARGO_MANIFEST_DIR")?);
    let mut paths = fs::read_dir("providers")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    let (mut list, mut texts) = (String::new(), String::new());
    for path in paths {
        let (text, shown) = (fs::read_to_string(&path)?, path.display().to_string());
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a file has no name")?;
        let table = document::parse(&shown, &text).map_err(|fault| fault.to_string())?;
        // A file has the table of its provider and nothing else.
        let [(key, Node { content: Content::Table(members), .. })] = table.as_slice() else {
            return Err(format!("{shown} has other keys than {name}").into());
        };
        if key.name != name {
            return Err(format!("{shown} is about {}", key.name).into());
        }
        // A provider that is code has only rules in its file.
        let declared = document::value(members, "event").is_some();
        let mut bytes = Vec::new();
        write_table(&table, &mut bytes)?;
        let stored = Path::new(&out).join(format!("{name}.bin"));
        fs::write(&stored, bytes)?;
        let provider = match declared {
            true => format!("Some(LazyLock::new(|| declared({name:?})))"),
            false => "None".to_owned(),
        };
        writeln!(
            list,
            "BuiltInFile {{ name: {name:?}, path: {shown:?}, document: include_bytes!({stored:?}), \
             provider: {provider} }},"
        )?;
        writeln!(texts, "({name:?}, include_str!({:?})),", Path::new(&folder).join(&path))?;
    }
    let count = list.lines().count();
    let files = format!("pub(crate) static FILES: [BuiltInFile; {count}] = [\n{list}];\n");
    fs::write(Path::new(&out).join("files.rs"), files)?;
    fs::write(Path::new(&out).join("texts.rs"), format!("&[\n{texts}]\n"))?;
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

//! Splits a file into records, one in memory at a time: lines, or rows of CSV, which may hold line ends
//! between double quotes.

use std::io::{self, BufRead, Read};

/// The longest record. Auth0 stores at most 16 MB of metadata for a user.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Why there is no next record.
#[derive(Debug)]
pub enum FrameError {
    /// The record is too long for a user.
    TooLong,
    /// The file ends between double quotes.
    OpenQuote,
    /// The file cannot be read.
    Io(io::Error),
}

/// One record of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its bytes, without the line end.
    pub content: Vec<u8>,
    /// How many bytes it has in the file, with the line end.
    pub bytes: u64,
    /// How many lines it has in the file.
    pub lines: u64,
}

impl Frame {
    /// The record of a file without any.
    pub const EMPTY: Self = Self { content: Vec::new(), bytes: 0, lines: 0 };
}

/// Returns the next record, or `None` at the end. With `quotes`, a line end between double quotes does not
/// end it.
pub fn next(reader: &mut dyn BufRead, quotes: bool) -> Result<Option<Frame>, FrameError> {
    let (mut content, mut lines, mut open) = (Vec::new(), 0, false);
    loop {
        let start = content.len();
        let room = MOST_BYTES - start as u64;
        let read = (&mut *reader).take(room).read_until(b'\n', &mut content).map_err(FrameError::Io)?;
        if read as u64 == room && content.last() != Some(&b'\n') {
            return Err(FrameError::TooLong);
        }
        if read == 0 {
            return if open { Err(FrameError::OpenQuote) } else { Ok(None) };
        }
        lines += 1;
        if quotes && content[start..].iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            open = !open;
        }
        if open {
            continue;
        }
        let bytes = content.len() as u64;
        while matches!(content.last(), Some(b'\n' | b'\r')) {
            content.pop();
        }
        return Ok(Some(Frame { content, bytes, lines }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &str, quotes: bool) -> Vec<(String, u64, u64)> {
        let mut reader = text.as_bytes();
        let mut frames = Vec::new();
        while let Some(frame) = next(&mut reader, quotes).unwrap() {
            frames.push((String::from_utf8(frame.content).unwrap(), frame.bytes, frame.lines));
        }
        frames
    }

    #[test]
    fn records_end_with_lines_but_not_between_quotes() {
        let text = "a,\"x\r\ny\"\"z\"\r\n\nb";
        let expected =
            [("a,\"x\r\ny\"\"z\"".to_owned(), 13, 2), (String::new(), 1, 1), ("b".to_owned(), 1, 1)];
        assert_eq!(frames(text, true), expected);
        assert_eq!(frames(text, false).len(), 4);
        assert_eq!(frames(text, true).iter().map(|frame| frame.1).sum::<u64>(), text.len() as u64);
        assert_eq!(frames("", true), []);
    }

    #[test]
    fn a_quote_that_is_never_closed_and_an_endless_line_are_errors() {
        assert!(matches!(next(&mut &b"a,\"x\ny\n"[..], true), Err(FrameError::OpenQuote)));
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert!(matches!(next(&mut endless, false), Err(FrameError::TooLong)));
    }
}

//! Reads a file record by record: NDJSON, or CSV of Auth0's users, gzipped or not.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;
use segment::json;

use super::{
    auth0::{Columns, FetchedFile, normalized},
    checkpoint::State,
    frames::{self, Frame, FrameError},
    source::{Content, Position, Record, Source},
};
use crate::error::CommandError;

/// How many records are read at once.
const RECORDS_PER_READ: usize = 500;

const BOM: &[u8] = &[0xef, 0xbb, 0xbf];

/// The kind of records in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Users of Auth0, in NDJSON or CSV.
    Users,
    /// Segment messages, in NDJSON.
    Messages,
}

/// An export file that is being read.
pub struct ExportFile {
    path: PathBuf,
    form: Form,
    reader: Box<dyn BufRead>,
    /// None for NDJSON.
    columns: Option<Columns>,
    /// How many bytes of the decompressed text are read.
    bytes: u64,
    line: u64,
    compressed: bool,
    /// How many bytes of the file itself are read, for the progress.
    read: Arc<AtomicU64>,
    size: u64,
    /// The error after the records that were returned last.
    failed: Option<String>,
    /// The downloaded file, which is removed at the end.
    fetched: Option<FetchedFile>,
}

/// Counts the bytes that are read from a file.
struct CountingFile {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for CountingFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl ExportFile {
    /// Opens the file at the position of the checkpoint.
    ///
    /// # Errors
    /// A sentence when the file cannot be read, is not an export, or has changed since the last run.
    pub fn open(
        path: &Path,
        form: Form,
        state: Option<&mut State>,
        fetched: Option<FetchedFile>,
    ) -> Result<Self, CommandError> {
        let unreadable = |error: io::Error| format!("{} cannot be read: {error}", path.display());
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let position = match state {
            None => None,
            Some(state) => {
                state.require_same_file(path, &mut file, size)?;
                state.checkpoint.position.clone()
            }
        };
        let (bytes, line) = match position {
            Some(Position::File { bytes, line }) => (bytes, line),
            _ => (0, 0),
        };
        let read = Arc::new(AtomicU64::new(0));
        let mut raw = BufReader::new(CountingFile { file, read: read.clone() });
        let compressed = raw.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
        let mut reader: Box<dyn BufRead> = match compressed {
            true => Box::new(BufReader::new(MultiGzDecoder::new(raw))),
            false => Box::new(raw),
        };
        let broken = |problem: &str| format!("{} {problem}", path.display());
        let start = reader.fill_buf().map_err(unreadable)?.to_vec();
        let text = start.strip_prefix(BOM).unwrap_or(&start);
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        let is_csv = match first {
            None => return Err(broken("is empty; export it again").into()),
            Some(b'{') => false,
            Some(b'[') => {
                return Err(broken(
                    "is a JSON array; an export has one object per line: convert it with jq -c '.[]'",
                )
                .into());
            }
            Some(_) if start.starts_with(b"PK") => {
                return Err(broken("is a zip archive; unpack it first").into());
            }
            Some(_) if form == Form::Messages => {
                return Err(broken("holds no Segment messages; it must have one JSON object per line").into());
            }
            Some(_) => true,
        };
        let mut export = Self {
            path: path.to_owned(),
            form,
            reader,
            columns: None,
            bytes: 0,
            line: 0,
            compressed,
            read,
            size,
            failed: None,
            fetched,
        };
        if start.starts_with(BOM) {
            export.reader.consume(BOM.len());
            export.bytes = BOM.len() as u64;
        }
        if is_csv {
            let header = export.frame().and_then(|frame| row(&frame.unwrap_or(Frame::EMPTY).content));
            let columns = header.and_then(|header| Columns::read(&header));
            export.columns =
                Some(columns.map_err(|problem| broken(&format!("is not an export of users: {problem}")))?);
        }
        export.skip_to(bytes, line).map_err(unreadable)?;
        Ok(export)
    }

    /// Continues where the last run ended.
    fn skip_to(&mut self, bytes: u64, line: u64) -> io::Result<()> {
        let Some(ahead) = bytes.checked_sub(self.bytes).filter(|ahead| *ahead > 0) else { return Ok(()) };
        if self.compressed {
            let skipped = io::copy(&mut (&mut self.reader).take(ahead), &mut io::sink())?;
            if skipped < ahead {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        } else {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(bytes))?;
            self.read.store(bytes, Ordering::Relaxed);
            self.reader = Box::new(BufReader::new(CountingFile { file, read: self.read.clone() }));
        }
        (self.bytes, self.line) = (bytes, line);
        Ok(())
    }

    fn frame(&mut self) -> Result<Option<Frame>, String> {
        let frame = frames::next(&mut *self.reader, self.columns.is_some()).map_err(|error| match error {
            FrameError::TooLong => "is too long for a user".to_owned(),
            FrameError::OpenQuote => "opens a double quote that is never closed".to_owned(),
            FrameError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "is the last complete one: the file is cut off; download it again, then start over with --restart".to_owned()
            }
            FrameError::Io(error) => format!("cannot be read: {error}"),
        })?;
        if let Some(frame) = &frame {
            self.bytes += frame.bytes;
            self.line += frame.lines;
        }
        Ok(frame)
    }

    fn content(&self, frame: &Frame) -> Content {
        let content = match (&self.columns, self.form) {
            (None, form) => json::parse_object(&frame.content)
                .map(|object| match form {
                    Form::Users => Content::User(normalized(object)),
                    Form::Messages => Content::Message(object),
                })
                // The line number is already known from the file.
                .map_err(|error| error.to_string().replace("the body", "it").replace(" at line 1", " at")),
            (Some(columns), _) => row(&frame.content).and_then(|row| columns.user(&row)).map(Content::User),
        };
        content.unwrap_or_else(|problem| Content::Unreadable("unreadable", problem))
    }
}

impl Source for ExportFile {
    async fn read(&mut self) -> Result<Vec<Record>, CommandError> {
        if let Some(problem) = self.failed.take() {
            return Err(problem.into());
        }
        let mut records = Vec::with_capacity(RECORDS_PER_READ);
        while records.len() < RECORDS_PER_READ {
            let at = self.line + 1;
            let frame = match self.frame() {
                Ok(None) => break,
                Ok(Some(frame)) => frame,
                Err(problem) => {
                    let cut_off = problem.starts_with("is the last complete one");
                    let at = if cut_off { self.line } else { at };
                    let problem = format!("{}: line {at} {problem}", self.path.display());
                    if records.is_empty() {
                        return Err(problem.into());
                    }
                    self.failed = Some(problem);
                    break;
                }
            };
            if frame.content.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // The position is the end of the record: a row can span several lines.
            let position = Position::File { bytes: self.bytes, line: self.line };
            let done = if self.compressed { self.read.load(Ordering::Relaxed) } else { self.bytes };
            records.push(Record { content: self.content(&frame), position, done });
        }
        Ok(records)
    }

    fn total(&self) -> Option<u64> {
        Some(self.size)
    }

    async fn finish(&mut self) -> Result<Option<String>, CommandError> {
        if let Some(fetched) = &mut self.fetched {
            fetched.remove_on_drop();
        }
        Ok(None)
    }
}

/// Returns the fields of one row.
fn row(content: &[u8]) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 10)
        .from_reader(content);
    match reader.records().next() {
        None => Err("it is empty".to_owned()),
        Some(Ok(record)) => Ok(record.iter().map(str::to_owned).collect()),
        Some(Err(_)) => Err("it is not UTF-8".to_owned()),
    }
}

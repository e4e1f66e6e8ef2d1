//! The possible contents of a disk after a power cut: everything that was synced, and any part of the rest.

use std::{collections::BTreeMap, fs, path::Path};

use fastrand::Rng;

use crate::Event;

/// The unit that a disk writes completely or not at all.
const SECTOR: usize = 512;

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    /// Returns how many of its bytes are written when it is interrupted.
    fn torn(&self, random: &mut Rng) -> usize {
        match self {
            Self::Write { bytes, .. } => random.usize(0..=bytes.len() / SECTOR) * SECTOR,
            Self::Length(_) => 0,
        }
    }
}

#[derive(Clone, Default)]
struct File {
    synced: Vec<u8>,
    since: Vec<Change>,
}

impl File {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.since) {
            apply(&mut self.synced, &change, usize::MAX);
        }
    }

    /// Returns the content after a power cut. `luck` decides which changes since the last sync survive.
    fn survived(&self, luck: Luck, random: &mut Rng) -> Vec<u8> {
        let mut content = self.synced.clone();
        for change in &self.since {
            match luck {
                Luck::All => apply(&mut content, change, usize::MAX),
                Luck::Nothing => {}
                Luck::Some => match random.u8(0..8) {
                    0..4 => apply(&mut content, change, usize::MAX),
                    4 => apply(&mut content, change, change.torn(random)),
                    _ => {}
                },
            }
        }
        content
    }
}

#[derive(Clone, Copy)]
enum Luck {
    All,
    Nothing,
    Some,
}

/// The disk while a record is replayed. Move forward with [`advance`](Self::advance), then look at the result
/// of a cut.
pub struct PowerLoss<'a> {
    events: &'a [Event],
    next: usize,
    files: BTreeMap<&'a str, File>,
    /// The names as of the last sync of the directory. `None` is a file that a cut would bring back.
    names: BTreeMap<&'a str, Option<File>>,
}

impl<'a> PowerLoss<'a> {
    /// Returns an empty directory before the record's first event.
    pub fn new(events: &'a [Event]) -> Self {
        Self { events, next: 0, files: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// Replays all events before `at`, which must not be before the current position.
    pub fn advance(&mut self, at: usize) {
        for event in &self.events[self.next..at] {
            self.play(event);
        }
        self.next = self.next.max(at);
    }

    fn play(&mut self, event: &'a Event) {
        match event {
            Event::Created { file } => {
                self.names.entry(file).or_insert(None);
                self.files.insert(file, File::default());
            }
            Event::Written { file, offset, bytes } => {
                let offset = usize::try_from(*offset).unwrap();
                self.change(file, Change::Write { offset, bytes: bytes.clone() });
            }
            Event::Truncated { file, length } => {
                self.change(file, Change::Length(usize::try_from(*length).unwrap()));
            }
            Event::Removed { file } => {
                if let Some(removed) = self.files.remove(file.as_str()) {
                    self.names.entry(file).or_insert(Some(removed));
                }
            }
            Event::Renamed { file, to } => {
                if let Some(renamed) = self.files.remove(file.as_str()) {
                    let replaced = self.files.insert(to, renamed.clone());
                    self.names.entry(to).or_insert(replaced);
                    self.names.entry(file).or_insert(Some(renamed));
                }
            }
            // This is the directory itself: its names are now durable.
            Event::Synced { file } if file.is_empty() => self.names.clear(),
            Event::Synced { file } => {
                if let Some(file) = self.files.get_mut(file.as_str()) {
                    file.sync();
                }
            }
            Event::Received { .. } | Event::Sent { .. } | Event::Closed { .. } | Event::Started => {}
        }
    }

    fn change(&mut self, file: &'a str, change: Change) {
        self.files.entry(file).or_default().since.push(change);
    }

    /// Returns the files that a cut here may leave. It may also happen during the next write.
    pub fn cut(&self, random: &mut Rng) -> BTreeMap<&'a str, Vec<u8>> {
        let luck = [Luck::All, Luck::Nothing, Luck::Some, Luck::Some][random.usize(0..4)];
        let mut files: BTreeMap<_, _> =
            self.files.iter().map(|(name, file)| (*name, file.survived(luck, random))).collect();
        if let Some(Event::Written { file, offset, bytes }) = self.events.get(self.next)
            && !matches!(luck, Luck::Nothing)
            && let Some(content) = files.get_mut(file.as_str())
        {
            let change = Change::Write { offset: usize::try_from(*offset).unwrap(), bytes: bytes.clone() };
            apply(content, &change, change.torn(random));
        }
        for (name, before) in &self.names {
            if matches!(luck, Luck::All) || random.bool() {
                continue;
            }
            match before {
                Some(file) => files.insert(name, file.survived(luck, random)),
                None => files.remove(name),
            };
        }
        files
    }

    /// Writes the same files into an empty directory.
    pub fn cut_into(&self, directory: &Path, random: &mut Rng) {
        for (name, content) in self.cut(random) {
            fs::write(directory.join(name), content).unwrap();
        }
    }
}

/// Applies a change. For a write, applies only its first `most` bytes.
fn apply(content: &mut Vec<u8>, change: &Change, most: usize) {
    match change {
        Change::Write { offset, bytes } => {
            let bytes = &bytes[..bytes.len().min(most)];
            let end = offset + bytes.len();
            if bytes.is_empty() {
                return;
            }
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(bytes);
        }
        Change::Length(length) => content.resize(*length, 0),
    }
}

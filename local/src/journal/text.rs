//! The texts that the journal keeps. The newest are kept as they are. Older ones are compressed, many in one block,
//! because the messages of a deployment are much alike.

use std::{
    collections::VecDeque,
    mem,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;

/// The size of the newest texts, in bytes, which are not compressed.
const MAX_PLAIN_BYTES: usize = 1024 * 1024;

/// The size of the texts in one block, in bytes. The compression finds repetitions within 64 KB.
const BLOCK_BYTES: usize = 64 * 1024;

/// All kept texts. Cloning it is cheap.
#[derive(Clone, Default)]
pub struct Texts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The memory of all texts, in bytes.
    bytes: AtomicUsize,
    newest: Mutex<Newest>,
}

/// The texts that are not compressed yet, oldest first. Some may be gone.
#[derive(Default)]
struct Newest {
    texts: VecDeque<(Weak<Kept>, usize)>,
    bytes: usize,
    is_packing: bool,
}

/// A text. Clones share it.
#[derive(Clone)]
pub struct Text(Arc<Kept>);

struct Kept {
    content: Mutex<Content>,
    texts: Arc<Shared>,
}

enum Content {
    Plain(Bytes),
    Packed(Arc<Block>, Range<usize>),
}

/// Texts that were compressed together.
struct Block {
    compressed: Box<[u8]>,
    size: usize,
}

impl Texts {
    /// Keeps a text.
    pub fn keep(&self, text: impl Into<Bytes>) -> Text {
        let text = text.into();
        let size = text.len();
        let kept = Arc::new(Kept { content: Mutex::new(Content::Plain(text)), texts: self.0.clone() });
        self.0.bytes.fetch_add(size, Relaxed);
        let mut newest = self.newest();
        newest.texts.push_back((Arc::downgrade(&kept), size));
        newest.bytes += size;
        let oldest = newest.take_block();
        drop(newest);
        // Nobody waits while texts are compressed.
        if let Some(oldest) = oldest {
            pack(&oldest);
            self.newest().is_packing = false;
        }
        Text(kept)
    }

    /// Returns the memory of all texts that somebody holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Relaxed)
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.0.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Newest {
    /// Takes the oldest texts, enough for a block, if there are too many and nobody compresses others.
    fn take_block(&mut self) -> Option<Vec<Arc<Kept>>> {
        if self.is_packing || self.bytes < MAX_PLAIN_BYTES + BLOCK_BYTES {
            return None;
        }
        let (mut oldest, mut bytes) = (Vec::new(), 0);
        while bytes < BLOCK_BYTES
            && let Some((text, size)) = self.texts.pop_front()
        {
            self.bytes -= size;
            if let Some(text) = text.upgrade() {
                bytes += size;
                oldest.push(text);
            }
        }
        self.is_packing = !oldest.is_empty();
        self.is_packing.then_some(oldest)
    }
}

/// Compresses texts into one block.
fn pack(texts: &[Arc<Kept>]) {
    let mut content = Vec::with_capacity(BLOCK_BYTES);
    let mut ends = Vec::with_capacity(texts.len());
    for text in texts {
        // A text is compressed once, so each of these is still plain.
        if let Content::Plain(plain) = &*text.content() {
            content.extend_from_slice(plain);
        }
        ends.push(content.len());
    }
    let block =
        Arc::new(Block { compressed: lz4_flex::block::compress(&content).into(), size: content.len() });
    let mut start = 0;
    for (text, end) in texts.iter().zip(ends) {
        text.replace(Content::Packed(block.clone(), start..end));
        start = end;
    }
}

impl Kept {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, content: Content) {
        let after = content.bytes();
        let before = mem::replace(&mut *self.content(), content).bytes();
        self.texts.bytes.fetch_add(after, Relaxed);
        self.texts.bytes.fetch_sub(before, Relaxed);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let bytes = self.content().bytes();
        self.texts.bytes.fetch_sub(bytes, Relaxed);
    }
}

impl Content {
    /// Returns its size in memory, in bytes: of a compressed text, its part of the block.
    fn bytes(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Packed(block, range) => (block.compressed.len() * range.len()).div_ceil(block.size.max(1)),
        }
    }
}

impl Text {
    /// Returns the text.
    pub fn read(&self, reader: &mut Reader) -> String {
        String::from_utf8_lossy(&self.bytes(reader)).into_owned()
    }

    /// Returns the bytes of the text.
    pub fn bytes(&self, reader: &mut Reader) -> Bytes {
        match &*self.0.content() {
            Content::Plain(text) => text.clone(),
            Content::Packed(block, range) => {
                Bytes::copy_from_slice(reader.open(block).get(range.clone()).unwrap_or_default())
            }
        }
    }
}

/// Reads texts. It keeps the last block open, because the texts of neighbors are in the same one.
#[derive(Default)]
pub struct Reader(Option<(Arc<Block>, Vec<u8>)>);

impl Reader {
    fn open(&mut self, block: &Arc<Block>) -> &[u8] {
        if !matches!(&self.0, Some((open, _)) if Arc::ptr_eq(open, block)) {
            // The block is in memory since it was compressed, so this cannot fail.
            let content = lz4_flex::block::decompress(&block.compressed, block.size).unwrap_or_default();
            self.0 = Some((block.clone(), content));
        }
        self.0.as_ref().map_or(&[], |(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_texts_are_compressed_and_read_as_before() {
        let texts = Texts::default();
        let text = |number: usize| format!(r#"{{"number":{number},"traits":"{}"}}"#, "email,".repeat(200));
        let mut kept: Vec<Text> = (0..5_000).map(|number| texts.keep(text(number))).collect();
        let all: usize = (0..5_000).map(|number| text(number).len()).sum();
        assert!(texts.bytes() < MAX_PLAIN_BYTES + 2 * BLOCK_BYTES + all / 10, "{} of {all}", texts.bytes());
        let mut reader = Reader::default();
        for (number, kept) in kept.iter().enumerate() {
            assert_eq!(kept.read(&mut reader), text(number));
        }
        let shared = kept[0].clone();
        kept.clear();
        assert!(texts.bytes() > 0);
        drop(shared);
        assert_eq!(texts.bytes(), 0, "nothing counts that nobody holds");
    }

    #[test]
    fn an_empty_text_and_bytes_that_are_no_text_are_kept() {
        let texts = Texts::default();
        let kept: Vec<Text> =
            (0..9).map(|_| texts.keep(vec![0xff; 200_000])).chain([texts.keep("")]).collect();
        let mut reader = Reader::default();
        assert!(kept[..9].iter().all(|kept| kept.bytes(&mut reader) == vec![0xff; 200_000]));
        assert_eq!(kept[9].read(&mut reader), "");
    }
}

//! The content of one file: what a program sees, and what a power failure may leave of it.

use crate::Dice;

/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// What was done to a file since its last sync.
#[derive(Clone, Debug)]
enum Step {
    Write { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

/// The content of one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    /// What a program sees.
    pub(crate) now: Vec<u8>,
    /// What is on the disk for sure.
    synced: Vec<u8>,
    /// What was done since, in order.
    steps: Vec<Step>,
}

impl Content {
    /// A file that is on the disk.
    pub(crate) fn on_disk(bytes: Vec<u8>) -> Self {
        Self {
            now: bytes.clone(),
            synced: bytes,
            steps: Vec::new(),
        }
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.now.resize(self.now.len().max(at + bytes.len()), 0);
        self.now[at..at + bytes.len()].copy_from_slice(bytes);
        let bytes = bytes.to_vec();
        self.steps.push(Step::Write { at, bytes });
    }

    pub(crate) fn cut(&mut self, length: usize) {
        self.now.truncate(length);
        self.steps.push(Step::Cut(length));
    }

    pub(crate) fn sync(&mut self) {
        for step in std::mem::take(&mut self.steps) {
            match step {
                Step::Write { at, bytes } => {
                    let length = self.synced.len().max(at + bytes.len());
                    self.synced.resize(length, 0);
                    self.synced[at..at + bytes.len()].copy_from_slice(&bytes);
                }
                Step::Cut(length) => self.synced.truncate(length),
            }
        }
    }

    /// What a failed sync may do: it forgets that anything was written. A program still sees it.
    pub(crate) fn forget(&mut self) {
        self.steps.clear();
    }

    /// What a power failure leaves: the length after any of the steps, and each sector as any of the
    /// steps left it, whatever the others did.
    pub(crate) fn torn(&self, dice: &mut Dice) -> Vec<u8> {
        let length = self.length_after(dice.roll(self.steps.len() + 1));
        let mut torn = vec![0; length];
        // Some failures lose much, some little.
        let kept = dice.roll(4);
        for start in (0..length).step_by(SECTOR_BYTES) {
            let end = (start + SECTOR_BYTES).min(length);
            let touches = |step: &&Step| match step {
                Step::Write { at, bytes } => *at < end && at + bytes.len() > start,
                Step::Cut(length) => *length < end,
            };
            let steps: Vec<&Step> = self.steps.iter().filter(touches).collect();
            let count = match kept {
                0 => 0,
                1 => steps.len(),
                _ => dice.roll(steps.len() + 1),
            };
            let sector = &mut torn[start..end];
            let synced = self.synced.get(start..).unwrap_or_default();
            let both = synced.len().min(sector.len());
            sector[..both].copy_from_slice(&synced[..both]);
            for step in &steps[..count] {
                apply(step, start, sector);
            }
        }
        torn
    }

    fn length_after(&self, steps: usize) -> usize {
        let after = |length: usize, step: &Step| match step {
            Step::Write { at, bytes } => length.max(at + bytes.len()),
            Step::Cut(cut) => length.min(*cut),
        };
        self.steps[..steps].iter().fold(self.synced.len(), after)
    }
}

/// Does to the sector at `start` what `step` did to it.
fn apply(step: &Step, start: usize, sector: &mut [u8]) {
    match step {
        Step::Write { at, bytes } => {
            let from = start.max(*at);
            let to = (start + sector.len()).min(at + bytes.len());
            if from < to {
                sector[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
            }
        }
        Step::Cut(length) => {
            let from = length.saturating_sub(start).min(sector.len());
            sector[from..].fill(0);
        }
    }
}

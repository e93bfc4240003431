//! Repairs a log: what is whole in a damaged segment is written anew, and the damaged file is kept aside.
//!
//! A segment that is written anew may lack numbers: readers skip them. Where a segment is absent, an
//! empty one says so in its place. When the end of the log is damaged, it goes on in a new segment, past
//! every number that may have been given.
//!
//! Each step leaves a log that opens, or one that a second repair repairs. A file is kept aside only
//! once what takes its place is durable; a torn tail is cut first, as opening does, so that it cannot
//! pass for damage later.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::inventory::Inventory;
use super::pieces::{self, Met, Piece, Pieces};
use super::survey::{Gap, Survey, survey};
use super::verify::first_version;
use super::{DAMAGED_SUFFIX, InspectError, Progress, Report, take};
use crate::disk::{Disk, DiskFile};
use crate::files::Files;
use crate::frame::FrameEncoder;
use crate::index_file;
use crate::record::{Content, Entry, RECORD_BYTES_MIN};
use crate::recovery::{keep_aside, scan_closed};
use crate::registry::{Registry, STATE, slot_mut};
use crate::segment::{self, NEW_SUFFIX, Segment, SegmentId};
use crate::snapshot::Snapshot;

/// Bytes that are written at once, about.
const WRITE_BYTES: usize = 1 << 20;

/// What a repair does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It says what it would do.
    Plan,
    /// It does it.
    Apply,
}

/// What a repair has done, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The log as it was.
    pub report: Report,
    /// What was done, in order; nothing when nothing was wrong.
    pub steps: Vec<Step>,
}

/// One step of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A torn tail was cut off, as the next open would have done.
    Cut {
        /// The last segment.
        segment: String,
        /// Where.
        byte: u64,
        /// Bytes that were cut off, without the zeros at their end.
        bytes: u64,
        /// The file that keeps them.
        kept: String,
    },
    /// A new last segment was started.
    Started {
        /// Its file name.
        segment: String,
        /// Sequences of each channel that are skipped, because they may have been given.
        skipped: u64,
    },
    /// A segment that cannot be read was set aside.
    Aside {
        /// The segment.
        segment: String,
        /// The file that keeps it.
        kept: String,
    },
    /// An empty segment takes the place of absent ones.
    Covered {
        /// Its file name.
        segment: String,
        /// Position of the first absent record.
        position: u64,
        /// Position of the first record behind them.
        end: u64,
    },
    /// A damaged segment was written anew.
    Rewritten {
        /// The damaged segment.
        segment: String,
        /// The one that takes its place.
        anew: String,
        /// The file that keeps the damaged one.
        kept: String,
    },
    /// The index of a segment was made again.
    Indexed {
        /// The segment.
        segment: String,
    },
}

/// Repairs the log in `directory`. With [`Mode::Plan`] it changes nothing but the file `lock`, and says
/// what it would do.
///
/// # Errors
///
/// [`InspectError`] when there is no log, when it is in use, when it is a damaged one of the first
/// format version, or when it cannot be read or written. What was done up to then holds.
pub fn repair(
    directory: &Path,
    mode: Mode,
    progress: impl FnMut(Progress),
) -> Result<Repaired, InspectError> {
    let (disk, _lock) = take(directory)?;
    repair_on(disk, mode, progress)
}

/// As [`repair`], of the log on `disk`, of which the caller is the only user.
///
/// # Errors
///
/// As [`repair`].
pub fn repair_on(
    disk: Arc<dyn Disk>,
    mode: Mode,
    mut progress: impl FnMut(Progress),
) -> Result<Repaired, InspectError> {
    let files = Files::new(Arc::clone(&disk));
    let inventory = Inventory::of(&files)?;
    if inventory.first_version {
        let report = first_version(disk, inventory)?;
        let damage = report.damages().next().cloned();
        return match damage {
            Some(damage) => Err(InspectError::FirstVersion { damage }),
            None => Ok(Repaired {
                steps: Vec::new(),
                report,
            }),
        };
    }
    let survey = survey(&files, inventory, &mut progress)?;
    let plan = Plan::of(survey);
    let mut repairer = Repairer {
        files: &files,
        mode,
        names: plan.survey.inventory.names.clone(),
        steps: Vec::new(),
        done: plan.progress(),
        progress: &mut progress,
    };
    repairer.run(&plan)?;
    Ok(Repaired {
        steps: repairer.steps,
        report: plan.survey.report,
    })
}

/// What is to be done.
struct Plan {
    survey: Survey,
    /// The new last segment: its position, what it starts from, and how many sequences that skips.
    last: Option<(u64, Snapshot, u64)>,
}

impl Plan {
    fn of(mut survey: Survey) -> Self {
        let members = &survey.inventory.members;
        let last = members.iter().rposition(|member| member.segment.is_some());
        let unusable = members
            .get(last.map_or(0, |last| last + 1)..)
            .unwrap_or_default();
        let mut position = survey.end.position;
        for member in unusable {
            let most = (member.bytes / RECORD_BYTES_MIN).max(1);
            position = position.max(member.id.position.saturating_add(most));
        }
        let is_broken = last.is_some_and(|last| survey.broken.contains_key(&last));
        if unusable.is_empty() && !is_broken {
            return Self { survey, last: None };
        }
        let of_last = last
            .and_then(|last| members.get(last))
            .map(|last| last.id.position);
        // It must not have the name of the one before it.
        let position = position.max(of_last.map_or(0, |of_last| of_last + 1));
        if let Some((at, of_last)) = last.zip(of_last).filter(|_| !is_broken) {
            if survey.end.position > of_last {
                survey.gaps.push(Gap {
                    position: survey.end.position,
                    end: position,
                    snapshot: survey.end.snapshot.clone(),
                });
            } else {
                survey.broken.insert(at, survey.end.base.clone());
            }
        }
        let skipped = survey.end.unknown;
        let mut snapshot = survey.end.snapshot.clone();
        snapshot.floor = snapshot.floor.max(position);
        for (_, extent) in &mut snapshot.channels {
            extent.next = extent.next.saturating_add(skipped);
        }
        Self {
            survey,
            last: Some((position, snapshot, skipped)),
        }
    }

    /// How far it is once all is read.
    fn progress(&self) -> Progress {
        let members = &self.survey.inventory.members;
        let read: u64 = members.iter().map(|member| member.bytes).sum();
        let broken = self.survey.broken.keys().filter_map(|at| members.get(*at));
        let written: u64 = broken.map(|member| member.bytes).sum();
        Progress {
            bytes: read,
            bytes_total: read + written,
        }
    }

    /// Position behind the segment at `at`.
    fn end_of(&self, at: usize) -> u64 {
        let behind = self
            .survey
            .inventory
            .members
            .get(at + 1..)
            .unwrap_or_default();
        let next = behind.iter().find(|member| member.segment.is_some());
        let last = self
            .last
            .as_ref()
            .map_or(u64::MAX, |(position, ..)| *position);
        next.map_or(last, |next| next.id.position)
    }
}

struct Repairer<'a> {
    files: &'a Files,
    mode: Mode,
    /// Names that are taken.
    names: Vec<String>,
    steps: Vec<Step>,
    done: Progress,
    progress: &'a mut dyn FnMut(Progress),
}

impl Repairer<'_> {
    fn run(&mut self, plan: &Plan) -> Result<(), InspectError> {
        let survey = &plan.survey;
        self.cut(survey)?;
        if let Some((position, snapshot, skipped)) = &plan.last {
            let generation = survey.inventory.free_generation(*position);
            let id = SegmentId {
                position: *position,
                generation,
            };
            self.create(id, 0, snapshot)?;
            self.steps.push(Step::Started {
                segment: id.name(),
                skipped: *skipped,
            });
        }
        for member in &survey.inventory.members {
            if member.segment.is_none() {
                let segment = member.id.name();
                let kept = self.set_aside(member.id)?;
                self.steps.push(Step::Aside { segment, kept });
            }
        }
        let mut unindexed = Vec::new();
        for gap in &survey.gaps {
            unindexed.push(self.cover(&survey.inventory, gap)?);
        }
        for (at, snapshot) in &survey.broken {
            unindexed.extend(self.rewrite(plan, *at, snapshot)?);
        }
        for (at, (member, report)) in survey
            .inventory
            .members
            .iter()
            .zip(&survey.report.segments)
            .enumerate()
        {
            let is_kept = member.segment.is_some() && !survey.broken.contains_key(&at);
            if is_kept && !report.index.is_good() {
                unindexed.push(member.id);
                self.steps.push(Step::Indexed {
                    segment: report.name.clone(),
                });
            }
        }
        match self.mode {
            Mode::Plan => Ok(()),
            Mode::Apply => self.index(&unindexed),
        }
    }

    /// Cuts a torn tail off.
    fn cut(&mut self, survey: &Survey) -> Result<(), InspectError> {
        let Some(torn) = &survey.report.torn else {
            return Ok(());
        };
        let kept = format!("{}.{:012}.cut", torn.segment, torn.byte);
        self.steps.push(Step::Cut {
            segment: torn.segment.clone(),
            byte: torn.byte,
            bytes: torn.bytes,
            kept: kept.clone(),
        });
        if self.mode == Mode::Plan {
            return Ok(());
        }
        let disk = self.files.disk();
        let name = &torn.segment;
        let file = self
            .files
            .get(name)
            .map_err(InspectError::io("open", name))?;
        keep_aside(disk, file.as_ref(), torn.byte, torn.bytes, &kept)
            .map_err(InspectError::io("write", &kept))?;
        file.cut(torn.byte).map_err(InspectError::io("cut", name))?;
        file.sync().map_err(InspectError::io("sync", name))
    }

    /// Creates a segment without records.
    fn create(&mut self, id: SegmentId, end: u64, snapshot: &Snapshot) -> Result<(), InspectError> {
        if self.mode == Mode::Apply {
            let disk = self.files.disk();
            let (_, page) = segment::page(id, end, disk.salt(), snapshot);
            segment::create(disk, id, &page).map_err(InspectError::io("create", &id.name()))?;
        }
        Ok(())
    }

    /// Says with an empty segment that records may be absent.
    fn cover(&mut self, inventory: &Inventory, gap: &Gap) -> Result<SegmentId, InspectError> {
        let (position, end) = (gap.position, gap.end);
        let id = SegmentId {
            position,
            generation: inventory.free_generation(position),
        };
        self.create(id, end, &gap.snapshot)?;
        self.steps.push(Step::Covered {
            segment: id.name(),
            position,
            end,
        });
        Ok(id)
    }

    /// Writes a damaged segment anew and keeps it aside.
    fn rewrite(
        &mut self,
        plan: &Plan,
        at: usize,
        snapshot: &Snapshot,
    ) -> Result<Option<SegmentId>, InspectError> {
        let inventory = &plan.survey.inventory;
        let member = inventory.members.get(at);
        let Some((member, old)) = member.and_then(|m| Some((m, m.segment.as_ref()?))) else {
            return Ok(None);
        };
        let id = SegmentId {
            position: old.id.position,
            generation: inventory.free_generation(old.id.position),
        };
        if self.mode == Mode::Apply {
            let name = id.name();
            let next = inventory.members.get(at + 1).map(|next| next.id.position);
            let write = InspectError::io("write", &name);
            self.write(old, next, id, plan.end_of(at), snapshot)
                .map_err(write)?;
        }
        let kept = self.set_aside(old.id)?;
        self.done.bytes += member.bytes;
        (self.progress)(self.done);
        self.steps.push(Step::Rewritten {
            segment: old.name.clone(),
            anew: id.name(),
            kept,
        });
        Ok(Some(id))
    }

    /// Writes what is whole in `old` into the segment `id`, durably, its name included.
    fn write(
        &self,
        old: &Arc<Segment>,
        next: Option<u64>,
        id: SegmentId,
        end: u64,
        snapshot: &Snapshot,
    ) -> io::Result<()> {
        let disk = self.files.disk();
        let (header, page) = segment::page(id, end, disk.salt(), snapshot);
        let name = id.name();
        let new = format!("{name}{NEW_SUFFIX}");
        let mut anew = Anew::new(disk.create(&new)?, header.salt, page, snapshot);
        let file = self.files.get(&old.name)?;
        let length = file.length()?;
        let mut found = Pieces::new(file, old, next)?;
        let mut all: Vec<Piece> = Vec::new();
        let each: &mut dyn FnMut(Met<'_>) -> io::Result<()> = &mut |met| {
            if let Met::Piece(piece, _) = met {
                all.push(piece);
            }
            Ok(())
        };
        found.each(length, each)?;
        for piece in pieces::in_order(all) {
            let bytes = found.again(&piece)?;
            if let Ok(records) = pieces::records(&piece, &bytes, old.salt) {
                let records = records
                    .into_iter()
                    .map(|(_, record, entry)| (record, entry));
                anew.frame(records)?;
            }
        }
        anew.finish()?;
        disk.rename(&new, &name)?;
        disk.sync()
    }

    /// Keeps a segment aside, with its index. Returns the new name of the segment.
    fn set_aside(&mut self, id: SegmentId) -> Result<String, InspectError> {
        let kept = self.rename(&id.name())?;
        let index = id.index_name();
        if self.names.contains(&index) {
            self.rename(&index)?;
        }
        if self.mode == Mode::Apply {
            self.files
                .disk()
                .sync()
                .map_err(InspectError::io("sync", "."))?;
        }
        Ok(kept)
    }

    fn rename(&mut self, name: &str) -> Result<String, InspectError> {
        let names = (1..).map(|number| match number {
            1 => format!("{name}{DAMAGED_SUFFIX}"),
            _ => format!("{name}{DAMAGED_SUFFIX}.{number}"),
        });
        let mut free = names.filter(|kept| !self.names.contains(kept));
        let kept = free.next().unwrap_or_default();
        drop(free);
        self.names.push(kept.clone());
        if self.mode == Mode::Apply {
            self.files.forget(name);
            let renamed = self.files.disk().rename(name, &kept);
            renamed.map_err(InspectError::io("rename", name))?;
        }
        Ok(kept)
    }

    /// Makes the indexes of these segments.
    fn index(&self, ids: &[SegmentId]) -> Result<(), InspectError> {
        if ids.is_empty() {
            return Ok(());
        }
        let inventory = Inventory::of(self.files)?;
        let segments = inventory
            .members
            .iter()
            .filter_map(|member| member.segment.as_ref());
        let behind = segments.clone().skip(1);
        let mut registry = Registry::default();
        for (segment, next) in segments.zip(behind) {
            if ids.contains(&segment.id) {
                self.index_one(&mut registry, segment, next)
                    .map_err(InspectError::io("write", &segment.id.index_name()))?;
            }
        }
        Ok(())
    }

    fn index_one(
        &self,
        registry: &mut Registry,
        segment: &Segment,
        next: &Segment,
    ) -> io::Result<()> {
        let index = segment.id.index_name();
        self.files.forget(&index);
        let bytes = self.files.get(&segment.name)?.length()?;
        let scanned = scan_closed(self.files, registry, segment, next)?;
        index_file::write(self.files.disk(), segment, bytes, &scanned.places, registry)
    }
}

/// A segment that is written anew.
struct Anew {
    file: Box<dyn DiskFile>,
    salt: u32,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    /// Where it goes.
    at: u64,
    registry: Registry,
    /// By number: the sequence that comes next.
    next: Vec<u64>,
}

impl Anew {
    fn new(file: Box<dyn DiskFile>, salt: u32, page: Vec<u8>, snapshot: &Snapshot) -> Self {
        let mut registry = Registry::default();
        let mut next = Vec::new();
        for (name, extent) in &snapshot.channels {
            if let Some(number) = registry.number_or_state(name.as_ref()) {
                *slot_mut(&mut next, number) = extent.next;
            }
        }
        Self {
            file,
            salt,
            buffer: page,
            at: 0,
            registry,
            next,
        }
    }

    /// Adds a frame of those records that follow on what is there.
    fn frame<'b>(
        &mut self,
        records: impl Iterator<Item = (&'b [u8], Entry<'b>)>,
    ) -> io::Result<()> {
        let fitting: Vec<&[u8]> = records
            .filter(|(_, entry)| self.follows(&entry.content))
            .map(|(record, _)| record)
            .collect();
        if fitting.is_empty() {
            return Ok(());
        }
        let mut frame = FrameEncoder::start(&mut self.buffer, self.salt, 0, 0);
        for record in fitting {
            frame.copy(record);
        }
        frame.finish();
        match self.buffer.len() >= WRITE_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn follows(&mut self, content: &Content<'_>) -> bool {
        let (number, sequence) = match content {
            Content::Channel { name, sequence, .. } => {
                let name = tidegate_base::Name::new(name).ok();
                (name.and_then(|name| self.registry.number(&name)), *sequence)
            }
            Content::State { sequence, .. } => (Some(STATE), *sequence),
            Content::Cursor { .. } | Content::Trim { .. } => return true,
        };
        let Some(number) = number else {
            return false;
        };
        let next = slot_mut(&mut self.next, number);
        let follows = sequence >= *next;
        if follows {
            *next = sequence + 1;
        }
        follows
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync()
    }
}

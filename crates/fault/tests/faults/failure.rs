//! A disk that fails, that is full, that is slow.

use std::sync::mpsc::{TryRecvError, sync_channel};

use tidegate_log::{AppendError, Durability, StateChange};

use super::{ONE_SEGMENT, SMALL, append, batch, batches, name, open};
use tidegate_fault::{Dice, FaultDisk};

#[test]
fn a_failed_sync_stops_the_writer_for_good_and_reads_go_on() {
    let disk = FaultDisk::default();
    let (log, _) = open(&disk, ONE_SEGMENT).unwrap();
    append(&log, batch(0, 0), Durability::Durable).unwrap();
    disk.fail_syncs_after(Some(0));
    let error = append(&log, batch(1, 0), Durability::Durable).unwrap_err();
    insta::assert_snapshot!(
        error,
        @"the writer has stopped: syncing segment `00000000000000000000.seg`: the disk has failed"
    );
    // The disk works again, but what it holds is not known any more.
    disk.fail_syncs_after(None);
    for class in [Durability::Durable, Durability::Written] {
        let again = append(&log, batch(2, 0), class).unwrap_err();
        assert_eq!(again, error);
    }
    assert_eq!(
        log.stopped().unwrap(),
        "syncing segment `00000000000000000000.seg`: the disk has failed"
    );
    assert_eq!(batches(&log), [0]);
}

#[test]
fn a_full_disk_pushes_back_leaves_no_trace_and_recovers() {
    for room in (0..2_000).step_by(13) {
        let disk = FaultDisk::default();
        let (log, _) = open(&disk, ONE_SEGMENT).unwrap();
        append(&log, batch(0, 0), Durability::Durable).unwrap();
        let used: usize = disk
            .names("")
            .iter()
            .map(|name| disk.bytes(name).len())
            .sum();
        disk.limit(Some(used + room));
        let mut refused = 0;
        let mut next = 1;
        for _ in 0..20 {
            match append(&log, batch(next, 100), Durability::Durable) {
                Ok(_) => next += 1,
                Err(AppendError::Full { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0);
        assert_eq!(batches(&log), (0..next).collect::<Vec<_>>());
        let crashed = disk.crash(&mut Dice::new(room as u64));
        let (reopened, recovery) = open(&crashed, ONE_SEGMENT).unwrap();
        assert_eq!(recovery.cut, None);
        assert_eq!(batches(&reopened), (0..next).collect::<Vec<_>>());

        disk.limit(None);
        append(&log, batch(next, 0), Durability::Durable).unwrap();
        drop(log);
        let (log, _) = open(&disk, ONE_SEGMENT).unwrap();
        assert_eq!(batches(&log), (0..=next).collect::<Vec<_>>());
    }
}

#[test]
fn a_disk_that_is_full_when_a_segment_starts_pushes_back() {
    let disk = FaultDisk::default();
    let (log, _) = open(&disk, SMALL).unwrap();
    disk.limit(Some(4_000));
    let mut next = 0;
    let error = loop {
        match append(&log, batch(next, 200), Durability::Durable) {
            Ok(_) => next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    disk.limit(None);
    for at in next..next + 5 {
        append(&log, batch(at, 200), Durability::Durable).unwrap();
    }
    drop(log);
    let (log, _) = open(&disk, SMALL).unwrap();
    assert_eq!(batches(&log), (0..next + 5).collect::<Vec<_>>());
}

#[test]
fn a_segment_whose_name_may_not_be_durable_stops_the_writer() {
    let disk = FaultDisk::default();
    let (log, _) = open(&disk, SMALL).unwrap();
    append(&log, batch(0, 800), Durability::Durable).unwrap();
    disk.fill_directory(true);
    let error = append(&log, batch(1, 800), Durability::Durable).unwrap_err();
    assert!(matches!(error, AppendError::Stopped { .. }), "{error}");
    disk.fill_directory(false);
    // A smaller one would have had room in the old segment, behind which the new one starts.
    let again = append(&log, batch(2, 0), Durability::Durable);
    assert_eq!(again, Err(error));
    drop(log);
    let (log, _) = open(&disk, SMALL).unwrap();
    append(&log, batch(3, 800), Durability::Durable).unwrap();
    assert_eq!(batches(&log), [0, 3]);
}

#[test]
fn nothing_durable_is_visible_before_it_is_synced() {
    let disk = FaultDisk::default();
    let (log, _) = open(&disk, ONE_SEGMENT).unwrap();
    append(&log, batch(0, 0), Durability::Durable).unwrap();
    let (tails, seen) = sync_channel(10);
    log.follow(&name("b"), move |tail| tails.send(tail).unwrap());
    assert_eq!(seen.recv(), Ok(1));

    let held = disk.hold_syncs();
    // What is only written does not wait for the disk.
    append(&log, batch(1, 0), Durability::Written).unwrap();
    assert_eq!((batches(&log), seen.recv()), (vec![0, 1], Ok(2)));

    let (sender, done) = sync_channel(10);
    for (at, class) in [(2, Durability::Durable), (3, Durability::Written)] {
        let sender = sender.clone();
        log.append(batch(at, 0), class, move |result| {
            sender.send((at, result.is_ok())).unwrap()
        });
    }
    disk.wait_for_sync();
    assert_eq!(done.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(seen.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(batches(&log), [0, 1]);

    drop(held);
    assert_eq!((done.recv(), done.recv()), (Ok((2, true)), Ok((3, true))));
    assert_eq!(batches(&log), [0, 1, 2, 3]);
}

#[test]
fn a_full_queue_pushes_back() {
    let disk = FaultDisk::default();
    let options = tidegate_log::Options {
        queue_bytes_max: 4_000,
        ..ONE_SEGMENT
    };
    let (log, _) = open(&disk, options).unwrap();
    let held = disk.hold_syncs();
    let (sender, done) = sync_channel(1_000);
    let send = |at| {
        let sender = sender.clone();
        log.append(batch(at, 500), Durability::Durable, move |result| {
            sender.send(result).unwrap()
        });
    };
    send(0);
    disk.wait_for_sync();
    (1..20).for_each(send);
    let refused: Vec<AppendError> = done.try_iter().map(Result::unwrap_err).collect();
    drop(held);
    assert_eq!(refused.len(), 18);
    insta::assert_snapshot!(
        refused[0],
        @"2426 bytes wait for the writer, of at most 4000; nothing was written, try again in 20ms"
    );
    log.close();
    assert_eq!(done.try_iter().filter(Result::is_ok).count(), 2);
    assert_eq!(batches(&log), [0, 1]);
}

#[test]
fn a_batch_without_records_changes_only_the_state() {
    let disk = FaultDisk::default();
    let (log, _) = open(&disk, SMALL).unwrap();
    append(&log, batch(0, 0), Durability::Durable).unwrap();
    let clear = tidegate_log::Batch {
        appends: vec![],
        state: StateChange::Replace(vec![]),
        cursors: vec![],
    };
    append(&log, clear, Durability::Durable).unwrap();
    assert_eq!(log.state().unwrap(), Vec::<bytes::Bytes>::new());
    let crashed = disk.crash(&mut Dice::new(1));
    assert_eq!(
        open(&crashed, SMALL).unwrap().0.state().unwrap(),
        Vec::<bytes::Bytes>::new()
    );
}

#[test]
fn a_log_with_a_torn_tail_opens_on_a_full_disk() {
    let disk = FaultDisk::default();
    let options = tidegate_log::Options {
        reserve_bytes: 5_000,
        ..ONE_SEGMENT
    };
    let (log, _) = open(&disk, options).unwrap();
    append(&log, batch(0, 0), Durability::Durable).unwrap();
    drop(log);
    disk.damage(&disk.names(".seg")[0], |bytes| bytes.extend([7; 900]));
    disk.limit(Some(disk.used()));
    // Without room that was set aside it says so, and changes nothing.
    let reserve = disk.bytes("reserve");
    tidegate_log::Disk::remove(&disk, "reserve").unwrap();
    disk.limit(Some(disk.used()));
    let error = open(&disk, options).unwrap_err();
    assert!(error.to_string().starts_with("write `0"), "{error}");
    disk.put("reserve", &reserve);
    disk.limit(Some(disk.used()));
    let (log, recovery) = open(&disk, options).unwrap();
    assert_eq!(recovery.cut.unwrap().bytes, 900);
    assert_eq!(batches(&log), [0]);
}

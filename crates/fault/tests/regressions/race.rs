//! What happens while something else does.

use super::interrupted::Interrupted;
use super::*;

#[test]
fn a_segment_that_is_closed_while_a_time_is_looked_for_is_looked_into() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..20);
    log.index().unwrap();
    let young = log.tail(&name("a"));
    fill(&log, "a", 100..102);
    let busy = Arc::clone(&log);
    disk.when_read(".idx", move || fill(&busy, "a", 110..130));
    assert_eq!(log.sequence_at(&name("a"), seconds(90)).unwrap(), young);
}

#[test]
fn retention_keeps_what_is_young_while_a_segment_is_closed() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..20);
    log.index().unwrap();
    let young = log.tail(&name("a"));
    fill(&log, "a", 100..102);
    log.keep(
        &name("a"),
        Keep {
            age: Some(Duration::from_secs(50)),
            needed_from: u64::MAX,
            ..Keep::default()
        },
    );
    let busy = Arc::clone(&log);
    disk.when_read(".idx", move || fill(&busy, "a", 110..130));
    log.clean(seconds(130)).unwrap();
    assert_eq!(log.head(&name("a")), young);
}

#[test]
fn a_time_is_found_in_what_was_written_anew_meanwhile() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..60);
    log.index().unwrap();
    log.keep(&name("a"), passed(10));
    let busy = Arc::clone(&log);
    disk.when_read(".idx", move || {
        busy.clean(seconds(LATER)).unwrap();
    });
    assert_eq!(log.sequence_at(&name("a"), seconds(12)).unwrap(), 12);
}

#[test]
fn the_state_is_one_state_when_it_is_replaced_meanwhile() {
    let disk = Interrupted::new();
    let state = |text: &str| Batch {
        state: StateChange::Replace(vec![Bytes::from(text.to_owned())]),
        ..Batch::EMPTY
    };
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    append(&log, state("old")).unwrap();
    fill(&log, "a", 0..40);
    log.index().unwrap();
    let busy = Arc::clone(&log);
    let new = state("new");
    disk.when_read(".seg", move || drop(append(&busy, new).unwrap()));
    let found = log.state().unwrap();
    assert!(found == ["old"] || found == ["new"], "{found:?}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells that the clean waits; when it is not there yet, the test shows nothing"
)]
fn who_waits_for_a_clean_learns_that_the_writer_has_ended() {
    let disk = FaultDisk::new(1);
    let (log, _) = Log::open_on(Arc::new(disk.clone()), OPTIONS).unwrap();
    log.follow(&name("a"), |tail| assert_eq!(tail, 0, "an observer fails"));
    log.keep(&name("a"), passed(1));
    let held = disk.hold_syncs();
    log.append(Batch::of(vec![record("b", 1)]), Durability::Durable, drop);
    disk.wait_for_sync();
    // It is in one group with what the clean notes.
    log.append(Batch::of(vec![record("a", 1)]), Durability::Written, drop);
    std::thread::scope(|scope| {
        let cleaning = scope.spawn(|| log.clean(seconds(LATER)));
        std::thread::sleep(Duration::from_millis(200));
        drop(held);
        assert!(cleaning.join().unwrap().is_err());
    });
}

#[test]
fn an_append_does_not_wait_while_an_index_is_made_again() {
    let disk = Interrupted::new();
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    fill(&log, "a", 0..40);
    log.index().unwrap();
    let index = disk.disk.names(".idx")[0].clone();
    disk.disk.damage(&index, |bytes| bytes[20] ^= 1);
    let (sender, done) = sync_channel(1);
    let busy = Arc::clone(&log);
    disk.when_read(".seg", move || {
        let (appended, waits) = sync_channel(1);
        std::thread::spawn(move || {
            append(&busy, Batch::of(vec![record("new", 1)])).unwrap();
            assert_eq!(appended.send(()), Ok(()));
        });
        let waited = waits.recv_timeout(Duration::from_secs(2));
        sender.send(waited.is_ok()).unwrap();
    });
    assert_eq!(sequences(&log, "a").unwrap().len(), 40);
    assert!(done.recv().unwrap());
}

/// A caller that unwraps the failure of a sync ends no process, and keeps nobody else from an answer.
#[test]
fn callers_that_panic_at_a_failure_keep_nobody_else_from_theirs() {
    let disk = FaultDisk::new(1);
    let (log, _) = Log::open_on(Arc::new(disk.clone()), OPTIONS).unwrap();
    let log = Arc::new(log);
    let held = disk.hold_syncs();
    let told = Arc::new(Mutex::new(Vec::new()));
    for at in 0..4 {
        let (told, asked) = (Arc::clone(&told), Arc::downgrade(&log));
        let batch = Batch::of(vec![record("a", at)]);
        log.append(batch, Durability::Durable, move |result| {
            let stopped = asked.upgrade().and_then(|log| log.stopped());
            told.lock().unwrap().push((at, result.is_err(), stopped));
            result.unwrap();
        });
        if at == 0 {
            disk.wait_for_sync();
        }
    }
    disk.fail_syncs_after(Some(0));
    drop(held);
    log.close();
    let told = told.lock().unwrap();
    let order: Vec<(u64, bool)> = told
        .iter()
        .map(|(at, refused, _)| (*at, *refused))
        .collect();
    assert_eq!(order, [(0, true), (1, true), (2, true), (3, true)]);
    let all_know = told.iter().all(|(_, _, stopped)| stopped.is_some());
    assert!(all_know, "who is refused for good is told so: {told:?}");
}

/// A panic while one group is acknowledged beside the writer: the next is answered, and so are later ones.
#[test]
fn who_comes_after_a_panic_is_answered() {
    let disk = FaultDisk::new(1);
    let (log, _) = Log::open_on(Arc::new(disk.clone()), OPTIONS).unwrap();
    for at in 0..500_u64 {
        let batch = Batch::of(vec![record("a", at)]);
        log.append(batch, Durability::Durable, move |_| {
            assert_ne!(at, 100, "a caller fails");
        });
    }
    loop {
        let (sender, receiver) = sync_channel(1);
        log.append(Batch::EMPTY, Durability::Durable, move |result| {
            sender.send(result).unwrap();
        });
        match receiver.recv() {
            Ok(Err(AppendError::Stopped { .. })) => break,
            Ok(Ok(_)) => std::thread::yield_now(),
            // It was in the group of the one that failed.
            other => assert!(other.is_err(), "{other:?}"),
        }
    }
    assert!(log.stopped().is_some());
}

/// The last handle may be dropped by a callback: nobody waits for itself.
#[test]
fn the_last_handle_may_be_dropped_by_a_callback() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(directory.path(), OPTIONS).unwrap();
    let log = Arc::new(log);
    let (sender, receiver) = sync_channel(1);
    let (held, go) = (Arc::clone(&log), Arc::new(Mutex::new(())));
    let first = go.lock().unwrap();
    let wait = Arc::clone(&go);
    log.append(
        Batch::of(vec![record("a", 1)]),
        Durability::Durable,
        move |_| {
            drop(wait.lock());
            drop(held);
            sender.send(()).unwrap();
        },
    );
    drop(log);
    drop(first);
    receiver.recv().unwrap();
    // The threads end by themselves, and then the directory is free.
    loop {
        match Log::open(directory.path(), OPTIONS) {
            Ok((log, recovery)) => {
                assert_eq!(recovery.damages, []);
                assert_eq!(log.tail(&name("a")), 1);
                return;
            }
            Err(_) => std::thread::yield_now(),
        }
    }
}

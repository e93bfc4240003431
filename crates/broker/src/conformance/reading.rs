//! What a read returns.

use std::sync::Arc;

use tidegate_base::{Name, Timestamp};

use super::Outcome;
use super::scene::{ALL, append, batch, channel, commit, expect, number, read_all};
use crate::{Append, Broker, ReadLimit};

pub(super) async fn record(broker: Arc<dyn Broker>) -> Outcome {
    let a = channel("Orders.v2_x-y")?;
    let full = Append {
        key: Some("schlüssel 42".to_owned()),
        headers: vec![
            ("id".to_owned(), "1".to_owned()),
            (String::new(), String::new()),
            ("id".to_owned(), "the same name again".to_owned()),
        ],
        ..append(&a, vec![0_u8, 255, 10, 13])
    };
    let bare = append(&a, "");
    let empty_key = Append {
        key: Some(String::new()),
        ..append(&a, "x")
    };
    let appends = [full, bare, empty_key];
    commit(&*broker, batch(appends.clone())).await?;
    let written = appends
        .into_iter()
        .zip(0..)
        .map(|(append, at)| append.into_record(at));
    expect(
        "the channel",
        &read_all(&*broker, &a, 0).await?,
        &written.collect(),
    )
}

pub(super) async fn large_record(broker: Arc<dyn Broker>) -> Outcome {
    let a = channel("a")?;
    let payload: Vec<u8> = (0..3_u32 << 20)
        .map(|at| (at % 251).to_le_bytes()[0])
        .collect();
    let large = append(&a, payload);
    commit(
        &*broker,
        batch([append(&a, "before"), large.clone(), append(&a, "behind")]),
    )
    .await?;
    let read = read_all(&*broker, &a, 0).await?;
    let sizes: Vec<_> = read.iter().map(|r| (r.sequence, r.payload.len())).collect();
    let expected = [(0, 6), (1, 3 << 20), (2, 6)];
    expect(
        "the records, by their sizes,",
        &sizes.as_slice(),
        &expected.as_slice(),
    )?;
    let whole = read.get(1) == Some(&large.into_record(1));
    expect("whether it comes back whole", &whole, &true)?;
    let limit = ReadLimit {
        records: 10,
        bytes: 1,
    };
    let read = broker
        .read(&a, 1, limit)
        .await
        .map_err(|error| error.to_string())?;
    expect("records of a read with room for none", &read.len(), &1)
}

pub(super) async fn limits(broker: Arc<dyn Broker>) -> Outcome {
    let a = channel("a")?;
    commit(
        &*broker,
        batch((0..100).map(|at| append(&a, number(1_000 + at)))),
    )
    .await?;
    for limit in [
        (1, 1_000_000),
        (7, 1_000_000),
        (100, 4_000),
        (1_000, 50),
        (1_000, 0),
    ] {
        let (records, bytes) = limit;
        let mut next = 0;
        while next < 100 {
            let read = broker.read(&a, next, ReadLimit { records, bytes }).await;
            let read = read.map_err(|error| error.to_string())?;
            let read_bytes: usize = read.iter().map(|record| record.payload.len()).sum();
            let within = read.len() <= records && (read_bytes <= bytes || read.len() == 1);
            expect(
                &format!("whether a read keeps its limit {limit:?}"),
                &within,
                &true,
            )?;
            let first = read.first().map(|record| record.sequence);
            expect("the first sequence read", &first, &Some(next))?;
            next += read.len() as u64;
        }
    }
    Ok(())
}

pub(super) async fn unknown_channel(broker: Arc<dyn Broker>) -> Outcome {
    let (a, known) = (channel("a")?, channel("known")?);
    commit(&*broker, batch([append(&known, "x")])).await?;
    for (name, from) in [(&a, 0), (&a, 5), (&known, 1), (&known, u64::MAX)] {
        let read = broker
            .read(name, from, ALL)
            .await
            .map_err(|error| error.to_string())?;
        expect(
            &format!("what `{name}` has from {from} on"),
            &read,
            &Vec::new(),
        )?;
    }
    expect("the tail", &*broker.tail(&a).borrow(), &0)?;
    // Asking must not have created it with a record.
    expect(
        "the sequence",
        &commit(&*broker, batch([append(&a, "x")])).await?,
        &vec![0],
    )
}

pub(super) async fn times(broker: Arc<dyn Broker>) -> Outcome {
    let (a, b) = (channel("a")?, channel("b")?);
    let seconds = |at: u64| Timestamp::from_millis(at * 1_000);
    let at = |channel: &Name, second| Append {
        time: seconds(second),
        ..append(channel, "x")
    };
    // The clock of the producer goes back once, and another channel lies between.
    let appends = [(&a, 10), (&a, 20), (&b, 15), (&a, 18), (&a, 30)];
    for (channel, second) in appends {
        commit(&*broker, batch([at(channel, second)])).await?;
    }
    let wanted = [
        (0, 0),
        (10, 0),
        (11, 1),
        (18, 1),
        (20, 1),
        (21, 3),
        (30, 3),
        (31, 4),
    ];
    for (second, sequence) in wanted {
        let found = broker.sequence_at(&a, seconds(second)).await;
        let found = found.map_err(|error| error.to_string())?;
        expect(&format!("the first at second {second}"), &found, &sequence)?;
    }
    let nothing = broker.sequence_at(&channel("c")?, seconds(0)).await;
    let nothing = nothing.map_err(|error| error.to_string())?;
    expect("the first of an unknown channel", &nothing, &0)
}

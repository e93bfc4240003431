//! The thread that deliveries have beside several workers.

use std::sync::Arc;

use tidegate_broker::{Broker, MemoryBroker};
use tidegate_runtime::Settings;

use crate::support::{DESIGN, Script, World, order, seconds};

#[test]
fn it_delivers_and_nothing_of_it_is_left_when_the_workers_are_gone() {
    for _ in 0..20 {
        let workers = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let broker = Arc::new(MemoryBroker::new());
        let watched = Arc::downgrade(&broker);
        let script = Script::default();
        let world = workers.block_on(async {
            let broker = Arc::clone(&broker) as Arc<dyn Broker>;
            let clock = tidegate_runtime::TokioClock::new();
            let settings = Settings::default();
            let world = World::on(DESIGN, settings, broker, script.clone(), clock).await;
            world
                .runtime
                .publish(vec![order("1", "o-1")])
                .await
                .unwrap();
            let mut views = world.runtime.watch();
            let is_done = |view: &Arc<tidegate_runtime::view::SystemView>| {
                let consumers = view.consumers.iter();
                consumers.map(|one| one.succeeded_total).sum::<u64>() == 1
            };
            let done = tokio::time::timeout(seconds(30), views.wait_for(is_done)).await;
            done.unwrap().unwrap();
            world
        });
        assert_eq!(script.calls(), [("1".to_owned(), 1)]);
        drop(workers);
        drop((world, broker));
        assert_eq!(watched.strong_count(), 0, "the thread has ended");
    }
}

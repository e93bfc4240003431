//! Tidegate's side: the adapter with the full runtime.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tidegate_base::{Clock, Name};
use tidegate_broker::{Broker, Shard};
use tidegate_model::{Design, Source, read};
use tidegate_runtime::view::SystemView;
use tidegate_runtime::{Answer, Attempt, Caller, Outcome, Runtime, Settings, TokioClock};

use crate::load::{Load, Marks, produce};

const DESIGN: &str = r#"
tidegate: 1
system: shop
events:
  OrderPlaced:
    key: /orderId
    schema:
      type: object
      required: [orderId, total]
      properties:
        orderId: {type: string}
        total: {type: number, minimum: 0}
        note: {type: string}
services:
  orders: {publishes: [OrderPlaced]}
  billing:
    consumes:
      OrderPlaced:
        deliver: {to: "http://localhost:1/in-process", concurrency: 1024, timeout: 30s}
        guarantee: deduplicated
"#;

/// The channels of the design, as adapters want them.
pub(crate) fn channels() -> Result<Vec<(Name, String)>> {
    Ok(vec![("OrderPlaced".parse()?, "OrderPlaced".to_owned())])
}

fn design() -> Result<Design> {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: DESIGN.to_owned(),
    };
    let reading = read(&[source], &|_| Err("no files".to_owned()));
    reading.design.context("the design is readable")
}

#[derive(Clone, Debug)]
struct Noting(Arc<Marks>);

impl Caller for Noting {
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Answer> {
        self.0.handle(&attempt.envelope.id);
        std::future::ready(Outcome::Done.into()).boxed()
    }
}

/// Events whose end is kept.
fn done(view: &SystemView) -> u64 {
    let consumers = view.consumers.iter();
    consumers.map(|consumer| consumer.succeeded_total).sum()
}

pub(crate) async fn run(shard: Arc<dyn Shard>, load: Load, marks: Arc<Marks>) -> Result<()> {
    let broker: Arc<dyn Broker> = Arc::<dyn Shard>::clone(&shard);
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let settings = Settings {
        // That all is done is seen when the view is renewed.
        view_interval: Duration::from_millis(10),
        ..Settings::default()
    };
    let caller = Arc::new(Noting(Arc::clone(&marks)));
    let runtime = Runtime::start(&design()?, broker, caller, clock, settings).await?;
    let publishing = {
        let runtime = runtime.clone();
        produce(load, Arc::clone(&marks), move |batch| {
            let runtime = runtime.clone();
            async move {
                runtime.publish(batch).await?;
                Ok(())
            }
        })
    };
    let mut views = runtime.watch();
    let all = load.events() as u64;
    let ending = async {
        marks.all_handled().await?;
        while done(&views.borrow_and_update()) < all {
            views.changed().await?;
        }
        marks.finish();
        anyhow::Ok(())
    };
    tokio::try_join!(publishing, ending)?;
    let report = runtime.drain(Duration::from_secs(30)).await;
    ensure!(report.backlog == 0, "{} events are left", report.backlog);
    shard.close().await;
    Ok(())
}

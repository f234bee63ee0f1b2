//! Where calls come from: each source schedules its own next one.

use crate::Random;
use crate::parameters::{Parameters, Provider, at_least_a_tick};
use nexosim::Message;
use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::Output;
use rand::RngExt;
use rand_distr::{Distribution, Exp1};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A request to a provider, to be recorded; it reads the metrics, too.
#[derive(Debug, Clone, Copy, Message, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) provider: u16,
    pub(crate) latency_ms: f64,
    pub(crate) success: bool,
    pub(crate) tokens: u32,
}

fn gap(per_s: f64, random: &mut Random) -> Duration {
    let units: f64 = Exp1.sample(random);
    at_least_a_tick(units / per_s)
}

/// Requests, by a Poisson process.
#[derive(Serialize, Deserialize)]
pub(crate) struct Requests {
    /// Requests as they come.
    pub(crate) out: Output<Record>,
    per_s: f64,
    providers: Vec<Provider>,
    random: Random,
}

#[Model]
impl Requests {
    pub(crate) fn new(model: &Parameters, random: Random) -> Self {
        Requests {
            out: Output::default(),
            per_s: model.requests_per_s,
            providers: model.providers.clone(),
            random,
        }
    }

    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        self.next(cx);
    }

    #[nexosim(schedulable)]
    async fn come(&mut self, _: (), cx: &Context<Self>) {
        let random = &mut self.random;
        let mut u: f64 = random.random();
        let last = self.providers.len() - 1;
        let mut provider = 0;
        while provider < last && u >= self.providers[provider].share {
            u -= self.providers[provider].share;
            provider += 1;
        }
        let p = &self.providers[provider];
        let record = Record {
            provider: provider as u16,
            latency_ms: p.latency.draw(random),
            success: random.random::<f64>() < p.success,
            tokens: p.tokens.draw(random) as u32,
        };
        self.next(cx);
        self.out.send(record).await;
    }

    fn next(&mut self, cx: &Context<Self>) {
        let gap = gap(self.per_s, &mut self.random);
        cx.schedule_event(gap, schedulable!(Self::come), ())
            .expect("later than now");
    }
}

/// Calls that bring nothing with them, by a Poisson process.
#[derive(Serialize, Deserialize)]
pub(crate) struct Calls {
    /// Calls as they come.
    pub(crate) out: Output<()>,
    per_s: f64,
    random: Random,
}

#[Model]
impl Calls {
    pub(crate) fn new(per_s: f64, random: Random) -> Self {
        Calls {
            out: Output::default(),
            per_s,
            random,
        }
    }

    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        self.next(cx);
    }

    #[nexosim(schedulable)]
    async fn come(&mut self, _: (), cx: &Context<Self>) {
        self.next(cx);
        self.out.send(()).await;
    }

    fn next(&mut self, cx: &Context<Self>) {
        let gap = gap(self.per_s, &mut self.random);
        cx.schedule_event(gap, schedulable!(Self::come), ())
            .expect("later than now");
    }
}

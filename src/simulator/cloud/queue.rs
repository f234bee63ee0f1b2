//! A queue between those who record and the one who adds up.

use super::peak::PeakSecond;
use super::service::QueueSpec;
use crate::Defect;
use crate::models::dist::Sampler;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::StreamRng;
use crate::telemetry::ports::{Clock, Kv, KvError, ListPage, PutOptions, ReadOptions, Value};
use crate::units::Timestamp;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// A message: what a `put` would have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The value.
    pub body: Vec<u8>,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// A queue that delivers batches to its consumer: full ones at once, others when the oldest
/// message has waited for `max_batch_timeout`. A message is delivered until it is acknowledged, and
/// deleted if nobody takes it within the retention.
pub struct Queue {
    clock: SimHandle,
    spec: QueueSpec,
    send: Sampler,
    state: RefCell<State>,
    deliver: Deliver,
}

/// Starts an invocation of a queue's consumer.
pub type Deliver = Box<dyn Fn(&Rc<Queue>, Vec<Message>)>;

struct State {
    rng: StreamRng,
    waiting: VecDeque<Message>,
    /// Number of the timer that counts; of an earlier one nothing comes.
    timer: u64,
    /// Messages at the front that have waited long enough.
    overdue: usize,
    consumers: usize,
    peak: PeakSecond,
    sent: u64,
    delivered: u64,
    acknowledged: u64,
    /// Messages that waited for longer than the retention, and so are gone.
    expired: Vec<Message>,
    batches: u64,
    operations: u64,
    /// Time that the delivered messages waited, summed.
    waited: Duration,
}

impl Queue {
    /// An empty queue. `deliver` starts an invocation of the consumer, which must give the batch
    /// to [`Queue::acknowledge`] when it is done with it.
    pub fn new(spec: QueueSpec, clock: SimHandle, rng: StreamRng, deliver: Deliver) -> Rc<Self> {
        Rc::new(Queue {
            clock,
            send: spec.send.sampler(),
            spec,
            state: RefCell::new(State {
                rng,
                waiting: VecDeque::new(),
                timer: 0,
                overdue: 0,
                consumers: 0,
                peak: PeakSecond::default(),
                sent: 0,
                delivered: 0,
                acknowledged: 0,
                expired: Vec::new(),
                batches: 0,
                operations: 0,
                waited: Duration::ZERO,
            }),
            deliver,
        })
    }

    /// Access for a Worker invocation that sends.
    pub fn producer(self: &Rc<Self>) -> QueueHandle {
        QueueHandle(Rc::clone(self))
    }

    /// How the queue is set up.
    pub fn spec(&self) -> &QueueSpec {
        &self.spec
    }

    /// Operations so far: for each message one to write, one to read and one to delete it, times
    /// the units of its size.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let operations = self.state.borrow().operations;
        usage.add(MeterItem::QueuesOperations, u128::from(operations));
        usage
    }

    /// Messages sent, delivered and acknowledged, and batches delivered.
    pub fn counts(&self) -> [u64; 4] {
        let s = self.state.borrow();
        [s.sent, s.delivered, s.acknowledged, s.batches]
    }

    /// Most messages sent in a second.
    pub fn peak(&self) -> u64 {
        self.state.borrow().peak.most()
    }

    /// Forgets the peak so far.
    pub fn reset_peak(&self) {
        self.state.borrow_mut().peak.reset();
    }

    /// How long messages waited for their delivery, mean in seconds; NaN without any.
    pub fn mean_wait_s(&self) -> f64 {
        let s = self.state.borrow();
        s.waited.as_secs_f64() / s.delivered as f64
    }

    /// The messages that nobody has got yet.
    pub fn waiting(&self) -> Vec<Message> {
        self.state.borrow().waiting.iter().cloned().collect()
    }

    /// The messages that were deleted because nobody got them within the retention.
    pub fn expired(&self) -> Vec<Message> {
        self.expire();
        self.state.borrow().expired.clone()
    }

    /// Deletes what has waited for too long; the oldest message is the first.
    fn expire(&self) {
        let s = &mut *self.state.borrow_mut();
        let now = self.clock.now();
        while let Some(message) = s.waiting.front()
            && now.since(message.sent_at) >= self.spec.retention
        {
            s.expired.extend(s.waiting.pop_front());
            s.overdue = s.overdue.saturating_sub(1);
        }
    }

    /// The invariant: every message is waiting, with the consumer, acknowledged, or expired.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self) -> Result<(), Defect> {
        let s = self.state.borrow();
        let (waiting, expired) = (s.waiting.len() as u64, s.expired.len() as u64);
        if s.sent != s.delivered + waiting + expired || s.acknowledged > s.delivered {
            return Err(Defect::new(format!(
                "queue: {} messages sent, {} delivered, {waiting} waiting, {expired} expired, {} acknowledged",
                s.sent, s.delivered, s.acknowledged
            )));
        }
        Ok(())
    }

    fn units(&self, message: &Message) -> u64 {
        let bytes = message.body.len() as u64 + self.spec.overhead.0;
        bytes.div_ceil(self.spec.operation.0).max(1)
    }

    /// Takes a message in, or refuses it.
    fn push(self: &Rc<Self>, body: Vec<u8>) -> Result<(), KvError> {
        let message = Message {
            body,
            sent_at: self.clock.now(),
        };
        if message.body.len() as u64 + self.spec.overhead.0 > self.spec.max_message.0 {
            return Err(KvError::Invalid("message too large"));
        }
        let first = {
            let s = &mut *self.state.borrow_mut();
            if s.peak.note(self.clock.now()) > self.spec.max_messages_per_second {
                return Err(KvError::RateLimited);
            }
            s.sent += 1;
            s.operations += self.units(&message);
            s.waiting.push_back(message);
            s.waiting.len() == 1
        };
        if first {
            self.start_timer();
        }
        self.pump();
        Ok(())
    }

    /// From now on, what waits at the end of `max_batch_timeout` is overdue.
    fn start_timer(self: &Rc<Self>) {
        let number = {
            let s = &mut *self.state.borrow_mut();
            s.timer += 1;
            s.timer
        };
        let queue = Rc::clone(self);
        self.clock.spawn(async move {
            queue.clock.sleep(queue.spec.max_batch_timeout).await;
            let current = {
                let s = &mut *queue.state.borrow_mut();
                if s.timer == number {
                    s.overdue = s.waiting.len();
                }
                s.timer == number
            };
            if current {
                queue.pump();
            }
        });
    }

    /// Delivers what can be delivered.
    fn pump(self: &Rc<Self>) {
        self.expire();
        loop {
            let (batch, left) = {
                let s = &mut *self.state.borrow_mut();
                let full = s.waiting.len() >= self.spec.max_batch_size;
                if s.consumers >= self.spec.max_concurrency || !(full || s.overdue > 0) {
                    return;
                }
                let n = self.spec.max_batch_size.min(s.waiting.len());
                let batch: Vec<Message> = s.waiting.drain(..n).collect();
                s.overdue = s.overdue.saturating_sub(n);
                s.consumers += 1;
                s.batches += 1;
                s.delivered += n as u64;
                let now = self.clock.now();
                s.waited += batch.iter().map(|m| now.since(m.sent_at)).sum::<Duration>();
                s.operations += batch.iter().map(|m| self.units(m)).sum::<u64>();
                (batch, s.waiting.len())
            };
            (self.deliver)(self, batch);
            if left > 0 {
                self.start_timer();
            } else {
                self.state.borrow_mut().timer += 1;
            }
        }
    }

    /// The consumer is done with a batch: its messages are deleted.
    pub fn acknowledge(self: &Rc<Self>, batch: &[Message]) {
        {
            let s = &mut *self.state.borrow_mut();
            s.consumers -= 1;
            s.acknowledged += batch.len() as u64;
            s.operations += batch.iter().map(|m| self.units(m)).sum::<u64>();
        }
        self.pump();
    }
}

/// A queue as one Worker invocation sees it. A `put` sends the value as a message.
pub struct QueueHandle(Rc<Queue>);

/// What a queue says to anything but a message.
const NO_STORE: KvError = KvError::Invalid("a queue takes messages and nothing else");

impl Kv for QueueHandle {
    async fn read(&self, _: &[&str], _: ReadOptions) -> Result<Vec<Option<Value>>, KvError> {
        Err(NO_STORE)
    }

    async fn put(&self, _: &str, value: Vec<u8>, _: PutOptions) -> Result<(), KvError> {
        let result = self.0.push(value);
        let took = {
            let s = &mut *self.0.state.borrow_mut();
            self.0.send.sample(&mut s.rng)
        };
        self.0.clock.sleep(took).await;
        result
    }

    async fn delete(&self, _: &str) -> Result<(), KvError> {
        Err(NO_STORE)
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<ListPage, KvError> {
        Err(NO_STORE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::service::{Service, StoreSpec};
    use crate::models::load;
    use crate::sim::executor::Executor;
    use crate::sim::random::Streams;

    fn spec() -> QueueSpec {
        let store: StoreSpec = load("queues", None, &[]).unwrap();
        let Service::Queues(spec) = store.service else {
            unreachable!("it is a queue")
        };
        spec
    }

    /// Batches of up to three messages, none of which waits for longer than 5 s, each taken at once: two messages at 0 and
    /// 3 s, delivered at 5 s, and three at 10 s.
    #[test]
    fn batches_are_delivered_when_they_are_due_and_counted() {
        let spec = QueueSpec {
            max_batch_size: 3,
            max_batch_timeout: Duration::from_secs(5),
            max_concurrency: 2,
            ..spec()
        };
        let executor = Executor::new(Timestamp::EPOCH);
        let rng = Streams::new(1, 0).stream("queue");
        let take: Deliver = Box::new(|queue, batch| queue.acknowledge(&batch));
        let queue = Queue::new(spec, executor.handle(), rng, take);
        let until = |ms| executor.run_until(Timestamp::EPOCH + Duration::from_millis(ms));
        queue.push(vec![1]).unwrap();
        until(3_000);
        queue.push(vec![2]).unwrap();
        until(4_999);
        assert_eq!(queue.counts(), [2, 0, 0, 0]);
        until(5_001);
        assert_eq!(
            queue.counts(),
            [2, 2, 2, 1],
            "the first message has waited for 5 s"
        );
        assert_eq!(queue.mean_wait_s(), (5.0 + 2.0) / 2.0);
        until(10_000);
        for i in 3..=5 {
            queue.push(vec![i]).unwrap();
        }
        assert_eq!(queue.counts(), [5, 5, 5, 2], "a full batch does not wait");
        assert_eq!(queue.mean_wait_s(), 7.0 / 5.0);
        assert_eq!(queue.state.borrow().consumers, 0);
        let usage = queue.usage();
        assert_eq!(usage.get(MeterItem::QueuesOperations), 3 * 5);
        assert_eq!((queue.check(), queue.peak()), (Ok(()), 3));
    }

    /// Of 128 KB a message may take all but the 100 bytes that the service adds; and of 5,000 in a second none is refused.
    #[test]
    fn a_message_is_refused_for_its_size_or_for_the_number_in_its_second() {
        let executor = Executor::new(Timestamp::EPOCH);
        let rng = Streams::new(1, 0).stream("queue");
        let take: Deliver = Box::new(|queue, batch| queue.acknowledge(&batch));
        let queue = Queue::new(spec(), executor.handle(), rng, take);
        let refused = queue.push(vec![0; 127_901]);
        assert_eq!(refused, Err(KvError::Invalid("message too large")));
        assert_eq!(queue.push(vec![0; 127_900]), Ok(()));
        for _ in 1..5_000 {
            queue.push(vec![1]).unwrap();
        }
        assert_eq!(queue.push(vec![1]), Err(KvError::RateLimited));
        assert_eq!(queue.counts()[0], 5_000);
    }

    #[test]
    fn a_message_that_went_astray_is_told() {
        let spec = spec();
        type Change = fn(&mut State);
        let changes: [(Change, &str); 3] = [
            (|s| drop(s.waiting.pop_front()), "2 messages sent"),
            (|s| s.delivered += 1, "1 delivered, 2 waiting"),
            (|s| s.acknowledged += 1, "1 acknowledged"),
        ];
        for (change, told) in changes {
            let executor = Executor::new(Timestamp::EPOCH);
            let rng = Streams::new(1, 0).stream("queue");
            let take: Deliver = Box::new(|queue, batch| queue.acknowledge(&batch));
            let queue = Queue::new(spec.clone(), executor.handle(), rng, take);
            queue.push(vec![1]).unwrap();
            queue.push(vec![2]).unwrap();
            assert_eq!(queue.check(), Ok(()));
            change(&mut queue.state.borrow_mut());
            let defect = queue.check().unwrap_err().to_string();
            assert!(defect.contains(told), "{told}: {defect}");
        }
    }
}

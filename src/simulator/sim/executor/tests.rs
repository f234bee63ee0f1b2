//! Tests of the executor.

use super::*;
use crate::telemetry::semaphore::Semaphore;

/// Who did something, and in which second.
type Log = Rc<RefCell<Vec<(u64, u32)>>>;

fn log() -> (Log, Executor) {
    (Rc::default(), Executor::new(Timestamp::EPOCH))
}

fn note_after(exec: &Executor, log: &Log, secs: u64, who: u32) -> TaskId {
    let (clock, log) = (exec.handle(), Rc::clone(log));
    exec.handle().spawn(async move {
        clock.sleep(Duration::from_secs(secs)).await;
        log.borrow_mut()
            .push((clock.now().as_nanos() / 1_000_000_000, who));
    })
}

/// A task that never ends holds a handle, and the executor the task: nothing may be left of both.
#[test]
fn tasks_that_have_not_ended_go_with_their_executor() {
    let held = Rc::new(());
    let exec = Executor::new(Timestamp::EPOCH);
    let (sim, mine) = (exec.handle(), Rc::clone(&held));
    exec.handle().spawn(async move {
        sim.sleep(Duration::from_secs(9)).await;
        drop(mine);
    });
    exec.run_until(Timestamp::from_secs(1));
    assert_eq!(Rc::strong_count(&held), 2);
    drop(exec);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn timers_fire_in_order_of_time_then_of_setting() {
    let (log, exec) = log();
    for (secs, who) in [(3, 1), (1, 2), (3, 3), (2, 4), (1, 5)] {
        note_after(&exec, &log, secs, who);
    }
    exec.run_until(Timestamp::from_secs(2));
    assert_eq!(*log.borrow(), [(1, 2), (1, 5), (2, 4)]);
    assert_eq!(exec.live_tasks(), 2);
    exec.run_to_idle();
    assert_eq!(log.borrow()[3..], [(3, 1), (3, 3)]);
    assert_eq!(exec.live_tasks(), 0);
}

#[test]
fn the_clock_shows_the_end_of_the_stretch_that_was_run() {
    let (log, exec) = log();
    note_after(&exec, &log, 10, 1);
    exec.run_until(Timestamp::from_secs(7));
    assert_eq!(exec.handle().now(), Timestamp::from_secs(7));
    assert!(log.borrow().is_empty());
}

#[test]
fn a_cancelled_task_never_runs_on_and_its_slot_is_used_again() {
    let (log, exec) = log();
    let first = note_after(&exec, &log, 5, 1);
    exec.run_until(Timestamp::from_secs(1));
    exec.handle().cancel(first);
    exec.handle().cancel(first);
    let second = note_after(&exec, &log, 1, 2);
    assert_eq!(first.slot, second.slot);
    exec.run_to_idle();
    assert_eq!(*log.borrow(), [(2, 2)]);
    assert_eq!(exec.shared.slots.borrow().len(), 1);
}

/// A waker that somebody keeps of a task that has ended does not wake whoever has its slot; one that nobody keeps is the
/// next tenant's.
#[test]
fn a_waker_is_handed_on_only_where_nobody_has_another() {
    let exec = Executor::new(Timestamp::EPOCH);
    let sim = exec.handle();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let polls = Rc::new(Cell::new(0));
    let whose = || Arc::as_ptr(&exec.shared.slots.borrow()[0].wakes);
    let keep = Rc::clone(&kept);
    sim.spawn(std::future::poll_fn(move |cx| {
        *keep.borrow_mut() = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    exec.run_until(Timestamp::from_secs(1));
    let first = whose();
    let spawn = || {
        let polls = Rc::clone(&polls);
        sim.spawn(std::future::poll_fn(move |_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        }))
    };
    let second = spawn();
    exec.run_until(Timestamp::from_secs(2));
    assert_eq!((second.slot, second.tenancy, polls.get()), (0, 1, 1));
    assert_ne!(whose(), first);
    if let Some(stale) = kept.take() {
        stale.wake();
    }
    exec.run_until(Timestamp::from_secs(3));
    assert_eq!(polls.get(), 1);
    let of_second = whose();
    sim.cancel(second);
    let third = spawn();
    exec.run_until(Timestamp::from_secs(4));
    assert_eq!((third.slot, third.tenancy, polls.get()), (0, 2, 2));
    assert_eq!(whose(), of_second);
    // What it wakes is the tenant that there is.
    let waker: Waker = Arc::clone(&exec.shared.slots.borrow()[0].wakes).into();
    waker.wake();
    exec.run_until(Timestamp::from_secs(5));
    assert_eq!(polls.get(), 3);
}

/// Its slot is free while it is still being polled: whoever moves in has a waker of its own.
#[test]
fn a_task_that_cancels_itself_leaves_its_slot_to_what_it_spawns() {
    let (log, exec) = log();
    let (sim, notes) = (exec.handle(), Rc::clone(&log));
    let me: Rc<Cell<Option<TaskId>>> = Rc::default();
    let this = Rc::clone(&me);
    me.set(Some(exec.handle().spawn(async move {
        sim.sleep(Duration::from_secs(1)).await;
        let clock = sim.clone();
        if let Some(id) = this.get() {
            sim.cancel(id);
        }
        let next = sim.spawn(async move {
            clock.sleep(Duration::from_secs(1)).await;
            notes
                .borrow_mut()
                .push((clock.now().as_nanos() / 1_000_000_000, 2));
        });
        assert_eq!(Some(next.slot), this.get().map(|id| id.slot));
        sim.sleep(Duration::from_secs(5)).await;
        unreachable!("it was cancelled");
    })));
    exec.run_to_idle();
    assert_eq!(*log.borrow(), [(2, 2)]);
    assert_eq!(exec.live_tasks(), 0);
}

/// B waits for A, of another context, and then sleeps: it goes on in A's context, so that its sleep
/// ends with A. Outside of contexts it does not.
#[test]
fn work_woken_by_another_context_dies_with_that_one() {
    for (rules, expected) in [(true, vec![]), (false, vec![(3, 2)])] {
        let (log, exec) = log();
        let sim = exec.handle();
        let context = || {
            if rules {
                sim.open_context()
            } else {
                ContextId::NONE
            }
        };
        let (a, b) = (context(), context());
        let turn = Rc::new(Semaphore::new(1));
        let (first, sleeper) = (Rc::clone(&turn), exec.handle());
        sim.spawn_in(a, async move {
            let permit = first.acquire().await;
            sleeper.sleep(Duration::from_secs(1)).await;
            drop(permit);
        });
        let (second, clock, seen) = (Rc::clone(&turn), exec.handle(), Rc::clone(&log));
        // A timer of its own keeps its context from having nothing to wait for.
        let (hung, own) = (exec.handle(), exec.handle());
        sim.spawn_in(b, async move { own.sleep(Duration::from_secs(9)).await });
        sim.spawn_in(b, async move {
            let _permit = second.acquire().await;
            clock.sleep(Duration::from_secs(2)).await;
            assert!(!hung.is_hung());
            seen.borrow_mut()
                .push((clock.now().as_nanos() / 1_000_000_000, 2));
        });
        exec.run_until(Timestamp::from_secs(1));
        sim.end_context(a);
        exec.run_to_idle();
        assert_eq!(*log.borrow(), expected);
        assert_eq!(exec.live_tasks(), usize::from(rules));
        // The permit has gone with it.
        assert_eq!(turn.is_free(), !rules);
    }
}

/// A task of a context without a timer is told that it hangs, once, and is then left as it is.
#[test]
fn a_task_that_nothing_of_its_context_can_wake_is_told_so() {
    let exec = Executor::new(Timestamp::EPOCH);
    let sim = exec.handle();
    let context = sim.open_context();
    let (told, dropped) = (Rc::new(Cell::new(0)), Rc::new(()));
    let (inner, count, held) = (exec.handle(), Rc::clone(&told), Rc::clone(&dropped));
    let task = sim.spawn_in(context, async move {
        let _held = held;
        std::future::poll_fn(|_| {
            count.set(count.get() + u32::from(inner.is_hung()));
            Poll::<()>::Pending
        })
        .await;
    });
    exec.run_until(Timestamp::from_secs(1));
    assert_eq!(told.get(), 1);
    assert!(!sim.is_live(task) && sim.is_there(task));
    assert_eq!(Rc::strong_count(&dropped), 2);
    sim.cancel(task);
    assert_eq!(Rc::strong_count(&dropped), 1);
    assert_eq!(exec.live_tasks(), 0);
}

#[test]
fn a_task_may_spawn_and_wait_for_others() {
    let exec = Executor::new(Timestamp::EPOCH);
    let clock = exec.handle();
    let end = exec.block_on(async move {
        let (inner, seen) = (clock.clone(), Rc::new(Cell::new(false)));
        let flag = Rc::clone(&seen);
        clock.spawn(async move {
            inner.sleep(Duration::from_secs(1)).await;
            flag.set(true);
        });
        clock.sleep(Duration::from_secs(2)).await;
        assert!(seen.get());
        clock.now()
    });
    assert_eq!(end, Timestamp::from_secs(2));
}

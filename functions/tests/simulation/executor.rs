//! Simulated time, and processes in it: futures that are polled one at a time, in an order that follows from what
//! they wait for alone. A process can be frozen (its futures are not polled, as with SIGSTOP) and killed (they are
//! dropped where they stand). Must not know what is simulated.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// Names a process.
pub type Process = u64;
/// What is nobody's process and never dies: the network, the world's script.
pub const NETWORK: Process = 0;

type Work = Pin<Box<dyn Future<Output = ()>>>;
type Ready = Mutex<VecDeque<u64>>;

thread_local! {
    static CORE: RefCell<Core> = RefCell::default();
}

#[derive(Default)]
struct Core {
    now: u64,
    next_id: u64,
    timers: BTreeMap<(u64, u64), Waker>,
    /// `None` while the future is being polled.
    tasks: BTreeMap<u64, (Process, Option<Work>, Waker)>,
    ready: Arc<Ready>,
    frozen: BTreeSet<Process>,
    /// What frozen processes were woken for.
    parked: Vec<u64>,
}

impl Core {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

struct TaskWaker {
    task: u64,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().unwrap().push_back(self.task);
    }
}

fn core<T>(act: impl FnOnce(&mut Core) -> T) -> T {
    CORE.with_borrow_mut(act)
}

/// An empty world at time 0.
pub fn reset() {
    drop(CORE.take());
}

/// Milliseconds since the world began.
pub fn now() -> u64 {
    core(|core| core.now)
}

/// A new process without any work yet.
pub fn process() -> Process {
    core(Core::id)
}

/// Gives a process something to do.
pub fn spawn(process: Process, work: impl Future<Output = ()> + 'static) {
    core(|core| {
        let task = core.id();
        // One for all polls, so that a sleep is woken once, however often it is polled.
        let waker = Waker::from(Arc::new(TaskWaker { task, ready: core.ready.clone() }));
        core.tasks.insert(task, (process, Some(Box::pin(work)), waker));
        core.ready.lock().unwrap().push_back(task);
    });
}

/// Ends a process in the middle of whatever it does.
pub fn kill(process: Process) {
    assert_ne!(process, NETWORK);
    let dropped: Vec<_> = core(|core| {
        core.frozen.remove(&process);
        core.tasks.extract_if(.., |_, (of, ..)| *of == process).collect()
    });
    // Outside: what is dropped may wake others.
    drop(dropped);
}

/// Stops a process without its knowing.
pub fn freeze(process: Process) {
    core(|core| core.frozen.insert(process));
}

/// Lets it go on.
pub fn thaw(process: Process) {
    core(|core| {
        core.frozen.remove(&process);
        let woken = std::mem::take(&mut core.parked);
        core.ready.lock().unwrap().extend(woken);
    });
}

/// Runs everything that is due until `until` says so, at the latest at `deadline`. `step` is called after each step.
pub fn run(deadline: u64, mut step: impl FnMut() -> bool) {
    loop {
        let next = core(|core| core.ready.lock().unwrap().pop_front());
        if let Some(task) = next {
            poll(task);
            if !step() {
                return;
            }
            continue;
        }
        let due = core(|core| {
            let timer = core.timers.first_entry().filter(|timer| timer.key().0 <= deadline)?;
            let ((at, _), waker) = timer.remove_entry();
            core.now = core.now.max(at);
            Some(waker)
        });
        match due {
            Some(waker) => waker.wake(),
            None => {
                core(|core| core.now = core.now.max(deadline));
                return;
            }
        }
    }
}

fn poll(task: u64) {
    let taken = core(|core| {
        let (process, work, waker) = core.tasks.get_mut(&task)?;
        if core.frozen.contains(process) {
            core.parked.push(task);
            return None;
        }
        Some((work.take()?, waker.clone()))
    });
    let Some((mut work, waker)) = taken else { return };
    let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
    let over = core(|core| match (polled, core.tasks.get_mut(&task)) {
        (Poll::Pending, Some((_, place, _))) => {
            *place = Some(work);
            None
        }
        // Finished, or killed by itself.
        (_, _) => Some((core.tasks.remove(&task), work)),
    });
    drop(over);
}

/// Waits for so many milliseconds.
pub fn sleep(milliseconds: u64) -> Sleep {
    Sleep { until: now() + milliseconds, waker: None }
}

/// See [`sleep`].
#[derive(Debug)]
pub struct Sleep {
    until: u64,
    /// Who is woken: once, however often it is polled.
    waker: Option<Waker>,
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        core(|core| {
            if core.now >= self.until {
                return Poll::Ready(());
            }
            if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
                let id = core.id();
                core.timers.insert((self.until, id), context.waker().clone());
                self.waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
    }
}

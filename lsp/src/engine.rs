//! The thread that thinks: questions in their order, checks in between.
//!
//! ```text
//! check 7 · hover (7) · check 8 · check 9      hover, then check 9; what was known at 7 and 8 is not published
//! ```
//!
//! Questions come first, so that nobody waits for a check that is not running yet. A check is done file by file, and
//! begins anew when there is a newer moment: files that the new edit does not concern keep what was found.
//!
//! INVARIANT: a question that panics is answered by its absence, and the thread goes on with all that it knew forgotten.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::snapshot::Snapshot;
use crate::world::{Finding, World};

/// What a check found, for the files where it may differ from before.
#[derive(Debug)]
pub struct Report {
    /// Of which moment.
    pub snapshot: Snapshot,
    /// All findings of each of these files.
    pub files: Vec<(PathBuf, Vec<Finding>)>,
}

type Question = Box<dyn FnOnce(&mut World, &Snapshot) + Send>;

enum Job {
    Ask(Snapshot, Question),
    Check(Snapshot),
}

/// The way to the thread.
#[derive(Debug, Clone)]
pub struct Engine {
    jobs: Sender<Job>,
}

impl Engine {
    /// Starts the thread; reports of checks go to `publish`. It ends with the last copy of the engine.
    pub fn start(publish: impl Fn(&World, Report) + Send + 'static) -> Self {
        let (jobs, received) = channel();
        // The parser and the resolver recurse as deep as a text may nest, and debug builds have large frames.
        let thinking = move || run(&received, &publish);
        let started = thread::Builder::new().name("engine".to_owned()).stack_size(16 << 20).spawn(thinking);
        debug_assert!(started.is_ok(), "no thread: every question will say so");
        Self { jobs }
    }

    /// A question about a moment. The answer comes later; dropping the receiver takes the question back.
    pub fn ask<T: Send + 'static>(
        &self,
        snapshot: Snapshot,
        question: impl FnOnce(&mut World, &Snapshot) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let job = move |world: &mut World, snapshot: &Snapshot| {
            if !sender.is_closed() {
                let _ = sender.send(question(world, snapshot));
            }
        };
        // Where the thread is gone, the sender is dropped, and the receiver knows.
        let _ = self.jobs.send(Job::Ask(snapshot, Box::new(job)));
        receiver
    }

    /// Checks all open files that a change concerns, when there is time.
    pub fn check(&self, snapshot: Snapshot) {
        let _ = self.jobs.send(Job::Check(snapshot));
    }
}

/// A check that is on its way.
struct Check {
    snapshot: Snapshot,
    /// Roots that are left, the last first.
    left: Vec<PathBuf>,
    /// Roots whose check has begun; one that never came back is not tried twice.
    hopeless: BTreeSet<PathBuf>,
    /// When something was told last.
    told: Instant,
}

/// So long a check may go on before something of it is told.
const SILENCE: Duration = Duration::from_millis(50);

fn run(jobs: &Receiver<Job>, publish: &impl Fn(&World, Report)) {
    let mut world = World::default();
    let mut check: Option<Check> = None;
    // Files about which something else may have to be said than before.
    let mut changed: BTreeSet<PathBuf> = BTreeSet::new();
    loop {
        let job = match &check {
            None => jobs.recv().ok(),
            Some(_) => match jobs.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            },
        };
        match job {
            Some(Job::Ask(snapshot, question)) => {
                if catch_unwind(AssertUnwindSafe(|| question(&mut world, &snapshot))).is_err() {
                    world.forget();
                }
            }
            Some(Job::Check(snapshot)) => {
                check = Some(Check {
                    snapshot,
                    left: vec![PathBuf::new()],
                    hopeless: BTreeSet::new(),
                    told: Instant::now(),
                });
            }
            None => {
                let Some(mut current) = check.take() else { return };
                let step = catch_unwind(AssertUnwindSafe(|| step(&mut world, &mut current)));
                changed.append(&mut world.news());
                match step {
                    Ok(true) => {
                        let files = std::mem::take(&mut changed);
                        let files = files.into_iter().map(|path| (path.clone(), world.findings(&path))).collect();
                        publish(&world, Report { snapshot: current.snapshot, files });
                    }
                    Ok(false) => {
                        // Many files take their time: what is settled is told on the way.
                        if current.told.elapsed() > SILENCE {
                            let settled = |path: &PathBuf| !world.led_by(&current.left, path);
                            let ready: Vec<PathBuf> = changed.iter().filter(|path| settled(path)).cloned().collect();
                            changed.retain(|path| !ready.contains(path));
                            let files = ready.into_iter().map(|path| (path.clone(), world.findings(&path))).collect();
                            publish(&world, Report { snapshot: current.snapshot.clone(), files });
                            current.told = Instant::now();
                        }
                        check = Some(current);
                    }
                    // That file is not checked again before something changes; all others are.
                    Err(_) => {
                        world.forget();
                        current.left = vec![PathBuf::new()];
                        check = Some(current);
                    }
                }
            }
        }
    }
}

/// Checks the next file. Whether it was the last.
fn step(world: &mut World, check: &mut Check) -> bool {
    match check.left.pop() {
        // Where every check begins.
        Some(path) if path.as_os_str().is_empty() => {
            world.turn();
            check.snapshot.disk.age();
            world.closed(&check.snapshot);
            let stale = world.stale(&check.snapshot);
            check.left = stale.into_iter().filter(|path| !check.hopeless.contains(path)).collect();
        }
        Some(path) => {
            check.hopeless.insert(path.clone());
            world.check(&check.snapshot, &path);
            check.hopeless.remove(&path);
        }
        None => {}
    }
    check.left.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::state::{Change, State};

    #[test]
    fn a_panic_is_the_end_of_one_answer_only() {
        let engine = Engine::start(|_, _| {});
        let broken = engine.ask(Snapshot::empty(), |_, _| -> u32 { panic!("in a test") });
        let sound = engine.ask(Snapshot::empty(), |_, snapshot| snapshot.generation);
        assert!(broken.blocking_recv().is_err());
        assert_eq!(sound.blocking_recv(), Ok(0));
    }

    #[test]
    fn a_question_that_was_taken_back_is_not_thought_about() {
        let engine = Engine::start(|_, _| {});
        let (sender, receiver) = channel();
        drop(engine.ask(Snapshot::empty(), move |_, _| sender.send(())));
        assert!(engine.ask(Snapshot::empty(), |_, _| ()).blocking_recv().is_ok());
        assert!(receiver.recv().is_err(), "the sender went unused with its question");
    }

    /// Editors ask for lenses and hints as soon as they have opened a file, and questions come first.
    #[test]
    fn what_a_question_found_before_the_check_is_told_too() {
        let (path, mut state) = (PathBuf::from("/nowhere/a.kpol"), State::default());
        let (sender, reports) = channel();
        let engine = Engine::start(move |_, report| sender.send(report.files).unwrap());
        let told = |state: &State| {
            let (snapshot, asked) = (state.snapshot(), path.clone());
            assert!(engine.ask(snapshot, move |world, snapshot| world.check(snapshot, &asked)).blocking_recv().is_ok());
            engine.check(state.snapshot());
            let files = reports.recv().unwrap();
            files.into_iter().find(|(told, _)| *told == path).map(|(_, found)| found.len())
        };
        state.open("file:///nowhere/a.kpol", Some(&path), 1, "default kill\nallow { raed }\n".to_owned());
        assert_eq!(told(&state), Some(1));
        let change = Change { range: None, text: "default kill\nallow { @default }\n".to_owned() };
        state.change("file:///nowhere/a.kpol", 2, vec![change]);
        assert_eq!(told(&state), Some(0));
        // Nor does it get lost with a panic.
        let asked = path.clone();
        let _ = engine.ask(state.snapshot(), move |world, snapshot| world.check(snapshot, &asked)).blocking_recv();
        assert!(engine.ask(state.snapshot(), |_, _| -> u32 { panic!("in a test") }).blocking_recv().is_err());
        engine.check(state.snapshot());
        assert!(reports.recv().unwrap().iter().any(|(told, _)| *told == path));
    }
}

//! A thread of its own for whoever speaks to the arbiter: nothing that the rest of the process computes delays a beat.

use std::io;
use std::thread::Builder;

use tokio::runtime;
use tokio::sync::oneshot;

/// Runs `work` on a thread of that name. What it answers ends, without a word, when the thread does; whoever started it
/// ends the process then.
///
/// # Errors
/// The machine gives no thread.
pub fn on_own_thread<F>(name: &str, work: impl FnOnce() -> F + Send + 'static) -> io::Result<oneshot::Receiver<()>>
where
    F: Future<Output = ()>,
{
    let (over, ended) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    Builder::new().name(name.to_owned()).spawn(move || {
        let _over: oneshot::Sender<()> = over;
        runtime.block_on(work());
    })?;
    Ok(ended)
}

//! The agent's side of the question: the only stand-in, until the agent serves it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::extract::State;
use axum::{Router, routing::get};
use gate::answer::{Answer, Epoch, PodPermit, ScopeEpoch};
use gate::clock::boot_time;
use playground::eventually;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::ground::{POD4, POD6, SOON};

pub(crate) const SCOPE: &str = "dept-rsj/exam";

/// What it says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Says {
    /// That both addresses of the pod may communicate for so many milliseconds, under that epoch.
    Left { counter: u64, ms: u64 },
    /// That nobody may.
    Nothing,
    /// It takes the question and never answers.
    Silence,
}

struct Mind {
    says: Says,
    asked: u64,
    /// On CLOCK_BOOTTIME, in milliseconds.
    answered: u64,
    /// What is written where before the question of that number is answered.
    arms: Option<(u64, PathBuf, String)>,
}

/// An agent on a Unix socket.
pub(crate) struct Agent {
    mind: Arc<Mutex<Mind>>,
    socket: PathBuf,
    task: JoinHandle<()>,
}

impl Agent {
    pub(crate) fn up(socket: &Path) -> Result<Self> {
        let mind = Arc::new(Mutex::new(Mind {
            says: Says::Nothing,
            asked: 0,
            answered: 0,
            arms: None,
        }));
        let task = serve(socket, &mind)?;
        let agent = Self {
            mind,
            socket: socket.to_owned(),
            task,
        };
        Ok(agent)
    }

    fn mind(&self) -> MutexGuard<'_, Mind> {
        self.mind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn says(&self, says: Says) {
        self.mind().says = says;
    }

    /// Before the question of that number is answered, counted from the first, `text` is written to `file`.
    pub(crate) fn arms(&self, question: u64, file: PathBuf, text: String) {
        self.mind().arms = Some((question, file, text));
    }

    /// When it answered last, on CLOCK_BOOTTIME in milliseconds.
    pub(crate) fn answered(&self) -> u64 {
        self.mind().answered
    }

    /// Waits for so many more questions.
    pub(crate) async fn asked_again(&self, times: u64) -> Result<()> {
        let wanted = self.mind().asked + times;
        eventually(SOON, "the gate asks again", || async {
            let asked = self.mind().asked;
            anyhow::ensure!(asked >= wanted, "{asked} questions, waiting for {wanted}");
            Ok(())
        })
        .await
    }

    /// It is gone, socket and all.
    pub(crate) fn dies(&self) -> Result<()> {
        self.task.abort();
        Ok(std::fs::remove_file(&self.socket)?)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn serve(socket: &Path, mind: &Arc<Mutex<Mind>>) -> Result<JoinHandle<()>> {
    let listener = UnixListener::bind(socket)?;
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(socket, everybody)?;
    let router = Router::new()
        .route("/permits/node-1", get(permits))
        .with_state(Arc::clone(mind));
    Ok(tokio::spawn(async move {
        drop(axum::serve(listener, router).await);
    }))
}

async fn permits(State(mind): State<Arc<Mutex<Mind>>>) -> Result<String, String> {
    let answer = {
        let mut mind = mind.lock().unwrap_or_else(PoisonError::into_inner);
        mind.asked += 1;
        if let Some((question, file, text)) = mind.arms.take() {
            if question == mind.asked {
                std::fs::write(file, text).map_err(|error| error.to_string())?;
            } else {
                mind.arms = Some((question, file, text));
            }
        }
        let answer = answer(mind.says);
        if answer.is_some() {
            mind.answered = boot_time().map_err(|error| error.to_string())?.0;
        }
        answer
    };
    match answer {
        Some(answer) => serde_json::to_string(&answer).map_err(|error| error.to_string()),
        None => std::future::pending().await,
    }
}

fn answer(says: Says) -> Option<Answer> {
    let (counter, left_ms) = match says {
        Says::Left { counter, ms } => (counter, Some(ms)),
        Says::Nothing => (7, None),
        Says::Silence => return None,
    };
    let epoch = Epoch {
        incarnation: 1,
        counter,
    };
    let scope = SCOPE.to_owned();
    let pods = [POD4, POD6].map(|address| PodPermit {
        scope: SCOPE.to_owned(),
        address,
        uid: "6c1e".to_owned(),
        epoch,
        left_ms,
    });
    Some(Answer {
        record: 0,
        epochs: vec![ScopeEpoch { scope, epoch }],
        pods: pods.to_vec(),
    })
}

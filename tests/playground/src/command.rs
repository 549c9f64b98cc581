//! Short-lived commands, with their error output in the error.

use std::ffi::OsStr;
use std::process::{Output, Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs a command to its end and returns its standard output; an exit code other than 0 is an error.
pub(crate) async fn run<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Result<String> {
    let shown = shown(program, args);
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().await;
    finish(&shown, &output.with_context(|| format!("cannot run `{shown}`"))?)
}

/// Like [`run`], with `input` on standard input.
pub(crate) async fn run_with_input<S: AsRef<OsStr>>(program: &str, args: &[S], input: &str) -> Result<String> {
    let shown = shown(program, args);
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(input.as_bytes())
            .await
            .with_context(|| format!("cannot write to `{shown}`"))?;
    }
    let output = child
        .wait_with_output()
        .await
        .with_context(|| format!("cannot wait for `{shown}`"))?;
    finish(&shown, &output)
}

fn shown<S: AsRef<OsStr>>(program: &str, args: &[S]) -> String {
    let mut shown = program.to_owned();
    for arg in args {
        shown.push(' ');
        shown.push_str(&arg.as_ref().to_string_lossy());
    }
    shown
}

fn finish(shown: &str, output: &Output) -> Result<String> {
    if !output.status.success() {
        bail!(
            "`{shown}` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

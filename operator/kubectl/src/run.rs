//! From the command line to what is printed.

use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use crds::{Amounts, Decision, RequestType, ResourceRequest, condition, find_condition, request_reason};
use plan::metering::Month;
use serde::Serialize;
use serde_json::Value;

use crate::cli::{Cli, Command, CompletionShell, DecisionArgs, Output};
use crate::clock::{now, today};
use crate::colour::colour;
use crate::connect::Hub;
use crate::decide::{self, Decided, Wanted};
use crate::document::{documents, read as read_file, text_at};
use crate::dry_run::{Answer, dry_run};
use crate::failover;
use crate::failure::Failure;
use crate::floor::Province;
use crate::join;
use crate::keep::{self, Kept};
use crate::lang::{Lang, both};
use crate::placement::{self, seen};
use crate::print::{self, Style};
use crate::quote::{Quote, quote};
use crate::read;
use crate::simulate::comes::{Coming, comes};
use crate::simulate::{self, Simulation};
use crate::spelling::About;
use crate::status::status;
use crate::table::terminal_width;
use crate::usage;
use crate::verdict::verdict;
use crate::wait::for_room;

/// Runs one command and returns its exit code.
///
/// # Errors
/// What to print after `error: `; the failure knows its exit code.
pub async fn run(cli: Cli, lang: Lang) -> Result<u8, Failure> {
    if let Command::Completion { shell } = cli.command {
        completion(shell);
        return Ok(0);
    }
    let global = cli.global;
    let named = global.namespace.clone();
    let out = Out {
        style: Style {
            lang,
            width: terminal_width(),
        },
        output: global.output,
    };
    // A file that cannot be read is said before anything is asked of the hub.
    let file = match &cli.command {
        Command::Quote { filename } => Some(read_documents(filename, &["ResourceRequest"], lang)?),
        Command::Simulate {
            filename: Some(filename),
            ..
        } => Some(read_documents(filename, &["ExpansionPhase", "ResourceRequest"], lang)?),
        _ => None,
    };
    let (config, context) = (global.kubeconfig.clone(), global.context.clone());
    let hub = Hub::connect(config, context, global.namespace).await?;
    match cli.command {
        Command::Status {
            placement: Some(name), ..
        } => placement::run::status(&hub, &name, out).await,
        Command::Status { per_centre, .. } => show_status(&hub, per_centre, out).await,
        Command::Why {
            about: About::Placement(name),
        } => placement::run::why(&hub, &name, out).await,
        Command::Why {
            about: About::Request(name),
        } => show_why(&hub, &name, out).await,
        Command::Diff {
            placement: name,
            centre_context,
        } => placement::run::diff(&hub, &name, &centre_context, global.kubeconfig, out).await,
        Command::Quote { .. } => show_quotes(&hub, named.as_deref(), file.unwrap_or_default(), out).await,
        Command::Simulate { lose: Some(centre), .. } => show_loss(&hub, &centre, out).await,
        Command::Simulate { .. } => show_simulations(&hub, named.as_deref(), file.unwrap_or_default(), out).await,
        Command::Approve { decision, amount } => {
            let amounts = amount.as_deref().map(decide::amounts).transpose()?.unwrap_or_default();
            decided(&hub, decision, Decision::Approved, amounts, out).await
        }
        Command::Reject { decision } => decided(&hub, decision, Decision::Rejected, Amounts::default(), out).await,
        Command::Keep { request, reason } => keep(&hub, request, reason, out).await,
        Command::Join(args) => {
            let joining = join::joining(&hub, (global.kubeconfig, global.context), args).await?;
            write(&join::manifest(&joining, lang)?);
            Ok(0)
        }
        Command::Failover(command) => failover::run::failover(&hub, command, out).await,
        Command::Failback(command) => failover::run::failback(&hub, command, out).await,
        Command::Fence(command) => failover::run::fence(&hub, command, out).await,
        Command::Usage { month, all_namespaces } => show_usage(&hub, month, all_namespaces, out).await,
        Command::Completion { .. } => Ok(0),
    }
}

/// How and in what form the answer is printed.
#[derive(Clone, Copy)]
pub(crate) struct Out {
    style: Style,
    output: Output,
}

impl Out {
    pub(crate) fn put<T: Serialize>(self, what: &T, text: impl FnOnce(&T, Style) -> String) -> Result<(), Failure> {
        let text = match self.output {
            Output::Table => colour(&text(what, self.style)),
            Output::Json => serde_json::to_string_pretty(what).map_err(|e| Failure::Refused(e.to_string()))? + "\n",
            Output::Csv => {
                return Err(Failure::Usage(both(
                    "only usage is printed as csv",
                    "仅 usage 可输出 csv",
                )));
            }
        };
        write(&text);
        Ok(())
    }
}

/// Without colours where standard output is no terminal, or `NO_COLOR` is set. A reader that went away, such as `head`, is
/// no failure.
fn write(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}

fn completion(shell: CompletionShell) {
    let mut script = Vec::new();
    clap_complete::generate(
        clap_complete::Shell::from(shell),
        &mut Cli::command(),
        "kubectl-xiangyun",
        &mut script,
    );
    write(&String::from_utf8_lossy(&script));
}

async fn show_status(hub: &Hub, per_centre: bool, out: Out) -> Result<u8, Failure> {
    let (province, requests) = tokio::join!(read::province(hub, None), read::requests(hub));
    let requests = requests?;
    let seen = requests.as_ref().map(|(all, only)| (all.as_slice(), only.as_deref()));
    out.put(&status(&province?, seen, per_centre, now()), print::status)?;
    Ok(0)
}

async fn show_usage(hub: &Hub, month: Option<String>, everywhere: bool, out: Out) -> Result<u8, Failure> {
    let month = month.unwrap_or_else(|| Month::at(now().as_second()).to_string());
    let usage = usage::usage(&month, read::reports(hub, &month, everywhere).await?);
    if out.output == Output::Csv {
        write(&usage::csv(&usage));
    } else {
        out.put(&usage, usage::page)?;
    }
    Ok(0)
}

async fn show_why(hub: &Hub, name: &str, out: Out) -> Result<u8, Failure> {
    let (request, approvals, province, phases) = tokio::join!(
        read::request(hub, name),
        read::approvals(hub),
        read::province(hub, Some(&hub.namespace)),
        read::phases(hub)
    );
    let (request, mut province) = (request?, province?);
    province.phases = phases?;
    let status = request.status.as_ref();
    let ready = status.and_then(|s| find_condition(&s.conditions, condition::READY));
    if ready.is_some_and(|c| for_room(&c.reason)) {
        province.names = read::names(hub).await?;
    }
    province.target = read::target(hub, &hub.namespace, &request).await?;
    let verdict = verdict(&request, approvals?.as_deref(), &province, today());
    out.put(&verdict, print::verdict)?;
    Ok(verdict.state.exit())
}

fn read_documents(file: &Path, kinds: &[&str], lang: Lang) -> Result<Vec<Value>, Failure> {
    let found = documents(&read_file(file)?, kinds)?;
    if !found.others.is_empty() {
        let kind = kinds.join(", ");
        let names = found.others.join(", ");
        eprintln!(
            "{}",
            lang.half(&both(
                format!("left out, no {kind}: {names}"),
                format!("已略过非 {kind} 对象：{names}")
            ))
        );
    }
    Ok(found.wanted)
}

async fn show_loss(hub: &Hub, centre: &str, out: Out) -> Result<u8, Failure> {
    let (province, requests) = tokio::join!(read::province(hub, None), read::requests(hub));
    let requests = requests?;
    let seen = requests.as_ref().map(|(all, only)| (all.as_slice(), only.as_deref()));
    let province = province?;
    let placements = seen::many(hub, &province, seen.map(|(all, _)| all)).await?;
    let loss = simulate::loss::lose(centre, &province, seen, placements.as_ref());
    out.put(&loss, simulate::loss::print)?;
    Ok(0)
}

async fn show_simulations(hub: &Hub, named: Option<&str>, documents: Vec<Value>, out: Out) -> Result<u8, Failure> {
    let (stored, requests, approvals) = tokio::join!(read::phases(hub), read::requests(hub), read::all_approvals(hub));
    let (stored, requests, approvals) = (stored?, requests?, approvals?.unwrap_or_default());
    let seen = requests.as_ref().map(|(all, only)| (all.as_slice(), only.as_deref()));
    let now = now();
    let asks = |document: &Value| text_at(document, "/kind") == "ResourceRequest";
    let mut own = Province::default();
    if !documents.iter().all(asks) {
        own = read::province(hub, Some(&hub.namespace)).await?;
        own.phases = stored;
    }
    let mut found = Vec::new();
    for document in documents {
        if asks(&document) {
            let Quoted {
                quote,
                request,
                province,
            } = one_quote(hub, named, document).await?;
            let coming = comes(quote, request.as_deref(), &province, seen, &approvals, now);
            found.push(Simulated::Request(Box::new(coming)));
        } else {
            let phase = simulate::read(document)?;
            found.push(Simulated::Phase(simulate::simulate(
                &phase, &own, seen, &approvals, now,
            )));
        }
    }
    let print = |s: &Simulated, style| match s {
        Simulated::Phase(phase) => simulate::print(phase, style),
        Simulated::Request(request) => simulate::comes::print(request, style),
    };
    out.put(&found, |all, style| {
        all.iter().map(|s| print(s, style)).collect::<Vec<_>>().join("\n")
    })?;
    let refused = |s: &Simulated| matches!(s, Simulated::Request(r) if r.quote.accepted == Some(false));
    Ok(u8::from(found.iter().any(refused)))
}

/// The answer for one document of a file.
#[derive(Serialize)]
#[serde(untagged)]
enum Simulated {
    Phase(Simulation),
    Request(Box<Coming>),
}

async fn show_quotes(hub: &Hub, named: Option<&str>, requests: Vec<Value>, out: Out) -> Result<u8, Failure> {
    let mut quotes = Vec::new();
    for request in requests {
        quotes.push(one_quote(hub, named, request).await?.quote);
    }
    out.put(&quotes, |all, style| {
        all.iter()
            .map(|q| print::quote(q, style))
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    Ok(u8::from(quotes.iter().any(|q| q.accepted == Some(false))))
}

/// The namespace of a document; one that the file names and `-n` contradicts is an error.
fn namespace_of(document: &Value, named: Option<&str>, usual: &str) -> Result<String, Failure> {
    let own = text_at(document, "/metadata/namespace");
    match named.filter(|n| !own.is_empty() && *n != own) {
        Some(named) => Err(Failure::Usage(both(
            format!("the file says namespace {own}, -n says {named}"),
            format!("文件中的命名空间为 {own}，与 -n {named} 不符"),
        ))),
        None if own.is_empty() => Ok(usual.to_owned()),
        None => Ok(own.to_owned()),
    }
}

/// A quote, the request as the server completed it, and what was read of the province.
struct Quoted {
    quote: Quote,
    request: Option<Box<ResourceRequest>>,
    province: Province,
}

async fn one_quote(hub: &Hub, named: Option<&str>, mut document: Value) -> Result<Quoted, Failure> {
    let namespace = namespace_of(&document, named, &hub.namespace)?;
    if let Some(Value::Object(metadata)) = document.pointer_mut("/metadata") {
        metadata.insert("namespace".to_owned(), Value::String(namespace.clone()));
    }
    let name = text_at(&document, "/metadata/name");
    let mut note = None;
    let mut asked = Some(true);
    let request = match dry_run(hub, &namespace, &document).await? {
        Answer::New(request) => request,
        Answer::Unchanged(request) => {
            note = Some(both(
                format!("rreq/{name} exists already and stays as it is; this is what another one like it would get"),
                format!("rreq/{name} 已存在，内容未变；以下为另建一份同样申请的结果"),
            ));
            request
        }
        Answer::Unasked(request) => {
            note = Some(both(
                format!(
                    "you may not create requests in {namespace}: the server's rules were not asked, the figures hold"
                ),
                format!("无权在 {namespace} 创建申请：未经服务器规则校验，仅核算用量"),
            ));
            asked = None;
            request
        }
        Answer::Refused(words) => {
            return Ok(Quoted {
                quote: Quote::refused(name, &namespace, words),
                request: None,
                province: Province::default(),
            });
        }
    };
    let (province, phases) = tokio::join!(read::province(hub, Some(&namespace)), read::phases(hub));
    let mut province = province?;
    province.phases = phases?;
    province.target = read::target(hub, &namespace, &request).await?;
    let mut quote = quote(&request, &province, today());
    quote.accepted = asked;
    quote.notes.extend(note);
    if request.spec.type_ == RequestType::Release {
        check_target(&province, &mut quote);
    }
    Ok(Quoted {
        quote,
        request: Some(request),
        province,
    })
}

/// A `Release` is accepted whatever it names; whether that holds a grant is seen from the target.
fn check_target(province: &Province, quote: &mut Quote) {
    let status = province.target.as_ref().and_then(|r| r.status.as_ref());
    let live = status
        .and_then(|s| s.allocation.as_ref())
        .is_some_and(|a| a.ended.is_none());
    if !live {
        let target = quote.releases.clone().unwrap_or_default();
        quote.fits = Some(false);
        quote.reason = Some(request_reason::TARGET_NOT_FOUND.to_owned());
        quote.message = Some(both(
            format!("rreq/{target} holds no grant in this namespace; name a granted request in allocationRef"),
            format!("rreq/{target} 无可释放的配额，请检查 allocationRef"),
        ));
    }
}

async fn keep(hub: &Hub, name: String, reason: String, out: Out) -> Result<u8, Failure> {
    let kept = keep::keep(hub, name.clone(), reason).await?;
    out.put(&kept, |k: &Kept, style| {
        format!("rreq/{name} kept: rreq/{}\n{}\n", k.name, style.lang.half(&k.message))
    })?;
    Ok(0)
}

async fn decided(hub: &Hub, args: DecisionArgs, decision: Decision, amounts: Amounts, out: Out) -> Result<u8, Failure> {
    let name = args.request.clone();
    let wanted = Wanted {
        name: args.request,
        decision,
        amounts,
        level: args.level,
        comment: args.comment,
    };
    let decided = decide::decide(hub, wanted).await?;
    let word = match decision {
        Decision::Approved => "approved",
        Decision::Rejected => "rejected",
    };
    out.put(&decided, |d: &Decided, style| {
        format!(
            "rreq/{name} {word} at level {}: appr/{}\n{}\n",
            d.level,
            d.name,
            style.lang.half(&d.message)
        )
    })?;
    Ok(0)
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use crds::MemberStage;
use plan::metering::Month;

use crate::failover::args::{FailbackCommand, FailoverCommand, FenceCommand};
use crate::lang::Lang;
use crate::spelling::{About, CentreContext, about, centre_context, placement_name, request_name};

/// What is said below every help.
const EXIT_CODES: &str = "\
Exit codes:
  0  done; `why`: granted, or the placement runs; `diff`: nothing differs
  1  refused by the server, or failed; `diff`: something differs;
     `why`: refused for good, ended, or held until somebody acts; `failover plan`: something is in the way
  2  the command line or the file cannot be read
  3  not found, or the hub cannot be reached; `diff`: any failure
  4  `why` only: pending";

const EXAMPLES: &str = "\
Examples:
  # The province on one page
  kubectl xiangyun status
  # What a request would get, before it is applied
  kubectl xiangyun quote -f request.yaml
  # Why a request waits, and what would fit instead
  kubectl xiangyun why rreq/ocr-2026 -n dept-yibao
  # One placement: both centres, dependencies, drift; what holds it back and what helps; what differs where
  kubectl xiangyun status dap/shop -n dept-yibao
  kubectl xiangyun why dap/shop -n dept-yibao
  kubectl xiangyun diff dap/shop -n dept-yibao
  # Which requests a phase of expansion would start; whom one more request would leave without room
  kubectl xiangyun simulate -f phase-2.yaml
  # Decide
  kubectl xiangyun approve rreq/ocr-2026 -n dept-yibao --comment 同意
  kubectl xiangyun reject rreq/ocr-2026 -n dept-yibao --comment 'no funding'
  # Keep what is to be taken back because it is idle
  kubectl xiangyun keep rreq/ocr-2026 -n dept-yibao --reason 'needed from December on'
  # Move a placement, follow it, and say that a lost side is silent
  kubectl xiangyun failover plan dap/ledger --to jiyidong -n dept-yibao
  kubectl xiangyun failover start dap/ledger --to jiyidong -n dept-yibao --comment drill
  kubectl xiangyun failover status -A
  kubectl xiangyun failover confirm-fence fo/ledger-jishi-4711 -n dept-yibao --comment 'racks are without power'
  kubectl xiangyun fence status -A
  # What a member cloud applies in its own cluster to join
  kubectl xiangyun join yanbian > yanbian.yaml
  # What a department held in a month, and what it costs
  kubectl xiangyun usage -n dept-yibao --month 2026-11 -o csv

What you may not read is shown as `-` with a note.";

/// Ask the control plane of the provincial cloud | 省级双活云命令行
#[derive(Parser, Debug)]
#[command(
    name = "kubectl-xiangyun",
    bin_name = "kubectl xiangyun",
    version,
    max_term_width = 100
)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Cli {
    /// Where the hub is and how it is printed.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
pub struct Global {
    /// Namespace, which is the department's name; that of the kubeconfig's context if not given
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// The kubeconfig file; as kubectl finds it if not given
    #[arg(long, global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// Language; from LC_ALL, LC_MESSAGES or LANG if not given
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    /// How to print: `json` has exact amounts and both languages
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub output: Output,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// For programs
    Json,
    /// For spreadsheets; `usage` only
    Csv,
}

/// Commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// The province: centres, pools with their six figures, requests by reason; or one placement, centre by centre
    #[command(after_help = "\
Examples:
  kubectl xiangyun status --per-centre
  kubectl xiangyun status dap/shop -n dept-yibao

Figures of a pool: GROSS is found or declared, RESERVED is kept back, COMMIT is gross less reserved, CHARGED is held by
grants, FREE is commit less charged, USED is what runs. FREE-DA still fits as a grant that survives in either centre.
Amounts are rounded down; `-o json` has them exactly.

Of a placement: WANTED, APPLIED (there) and READY copies, DECISION is the number that the centre
carried out, CHANGED since when. TEMPLATE is the generation that was taken up, 3/4 where the hub
has a newer one; UPDATED copies run the newest.")]
    Status {
        /// A placement: dap/NAME or NAME; the province if not given
        #[arg(value_parser = placement_name, conflicts_with = "per_centre")]
        placement: Option<String>,
        /// Each pool in each centre as well
        #[arg(long)]
        per_centre: bool,
    },
    /// Why a request or a placement is where it is: figures, place in the queue, earliest date, and what would help
    #[command(after_help = format!("\
Examples:
  kubectl xiangyun why rreq/train-lab -n dept-jyt
  kubectl xiangyun why train-lab -n dept-jyt -o json
  kubectl xiangyun why dap/shop -n dept-yibao

PENDING waits, GRANTED holds its quota, REFUSED will never get it as it is, ENDED was given back or expired.
The date comes from the next five ends of grants of a pool; others may free more, or sooner.
A placement is RUNNING, PENDING where it goes on by itself, or HELD until somebody acts; what runs
goes on. FITS counts the copies that there is room for beside the rest of the placement.\n\n{EXIT_CODES}"))]
    Why {
        /// The request, rreq/NAME or NAME; or the placement, dap/NAME
        #[arg(value_name = "NAME", value_parser = about)]
        about: About,
    },
    /// What each centre should hold of a placement, against what it holds
    #[command(after_help = format!("\
Examples:
  kubectl xiangyun diff dap/shop -n dept-yibao
  kubectl xiangyun diff dap/shop -n dept-yibao --centre-context jishi=jishi-admin

Lines with - are what templates, spec and grants ask of the centre, lines with + what it holds, as
far as its agent tells the hub; the others say what is meant to be otherwise than in the template.
With a context for the centre, its objects are read there instead, and the paths that differ are
named.\n\n{EXIT_CODES}"))]
    Diff {
        /// The placement: dap/NAME or NAME
        #[arg(value_parser = placement_name)]
        placement: String,
        /// Read the objects of that centre with this context of the kubeconfig; may be given again for another centre
        #[arg(long, value_name = "CENTRE=CONTEXT", value_parser = centre_context)]
        centre_context: Vec<CentreContext>,
    },
    /// What a request would get, before it is applied: pools, split over the centres, approvals, whether it fits now
    #[command(after_help = format!("\
Examples:
  kubectl xiangyun quote -f request.yaml
  cat requests/*.yaml | kubectl xiangyun quote -f - -n dept-yibao

The server checks the file as it would on apply, without storing anything. Each request of the file is quoted by itself.
SHARE is its part in normal life, SURVIVAL what the centre holds alone, CHARGE the larger of both.\n\n{EXIT_CODES}"))]
    Quote {
        /// A YAML or JSON file with one or more ResourceRequests; `-` reads standard input
        #[arg(short, long)]
        filename: PathBuf,
    },
    /// What if: which waiting requests a phase of expansion would start; whom one more request would leave without room;
    /// what comes short when a centre is lost
    #[command(after_help = "\
Examples:
  kubectl xiangyun simulate -f phase-2.yaml
  kubectl xiangyun simulate -f request.yaml -n dept-yibao -o json
  kubectl xiangyun simulate --lose jishi

Nothing is applied. All of the phase is taken as there and accepted, whatever its stage; each document by itself.
The answer rests on what you may read: who sees one namespace sees only the requests there, as if nobody else waited.
Of a placement, LEFT is what the other centres run now, RAISED-TO what the grants keep there for
this case, and FITS whether all of WANTED has room.")]
    Simulate {
        /// A YAML or JSON file with ExpansionPhases or ResourceRequests; `-` reads standard input
        #[arg(short, long, required_unless_present = "lose", conflicts_with = "lose")]
        filename: Option<PathBuf>,
        /// Name of the centre that is lost
        #[arg(long, value_name = "CENTRE")]
        lose: Option<String>,
    },
    /// Agree to a request
    #[command(after_help = "\
Examples:
  kubectl xiangyun approve rreq/ocr-2026 -n dept-yibao --comment 同意
  kubectl xiangyun approve rreq/ocr-2026 -n dept-yibao --amount cpu=32,memory=128Gi

Nobody approves their own request, and two levels are two people.")]
    Approve {
        /// What is decided.
        #[command(flatten)]
        decision: DecisionArgs,
        /// Grant less than was asked, in total: cpu=32,memory=128Gi
        #[arg(long)]
        amount: Option<String>,
    },
    /// Say no to a request; it frees at once
    Reject {
        /// What is decided.
        #[command(flatten)]
        decision: DecisionArgs,
    },
    /// Keep a grant that is to be taken back because it is idle
    #[command(after_help = "\
Examples:
  kubectl xiangyun keep rreq/ocr-2026 -n dept-yibao --reason '年底集中报销，12月起满负荷'

It counts from the notice on until the grant is taken back, once a notice, and for one window of the policy. Your name and the
reason stand in the grant's condition Idle, for everybody to read.")]
    Keep {
        /// The request that holds the grant: rreq/NAME or NAME
        #[arg(value_parser = request_name)]
        request: String,
        /// Why it is needed
        #[arg(long)]
        reason: String,
    },
    /// Moves of placements between centres: what one would do, asking for it, following it, agreeing, confirming a fence
    #[command(subcommand)]
    Failover(FailoverCommand),
    /// Back to where a placement belongs
    #[command(subcommand)]
    Failback(FailbackCommand),
    /// What stands between an exclusive placement and a second writer
    #[command(subcommand)]
    Fence(FenceCommand),
    /// What was held in a month and what it costs, request by request
    #[command(after_help = "\
Examples:
  kubectl xiangyun usage -n dept-yibao --month 2026-11
  kubectl xiangyun usage -A --month 2026-11 -o csv > 2026-11.csv

Hours and days are cut to two decimals; CSV and JSON have them rounded to six, and exactly in milli-vCPU, bytes and cards
times seconds. The price of a row is rounded to 0.01, once. A month is the province's, UTC+8, and closes one day after its end.")]
    Usage {
        /// The month, such as 2026-11; this month if not given
        #[arg(long, value_parser = month)]
        month: Option<String>,
        /// Every department
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
    /// What a member cloud applies in its own cluster: roles for its stage, the agent, where the hub is. Nothing is applied
    #[command(after_help = "\
Examples:
  kubectl xiangyun join yanbian > yanbian.yaml
  kubectl xiangyun join yanbian --stage Scheduled --hub https://hub.jl.gov.cn:6443

The address of the hub and its authority are those of the kubeconfig, if not given. No key is
printed: the member makes its own, as the first lines say.")]
    Join(JoinArgs),
    /// Print the completion script of a shell: source <(kubectl-xiangyun completion bash)
    Completion {
        /// Shell
        #[arg(value_parser = clap::builder::EnumValueParser::<CompletionShell>::new())]
        shell: CompletionShell,
    },
}

/// Which member joins, and where the hub is.
#[derive(Args, Debug)]
pub struct JoinArgs {
    /// The member's DataCenter, of role Member: dcn/NAME or NAME
    pub name: String,
    /// For this stage; that of the DataCenter if not given
    #[arg(long, value_enum)]
    pub stage: Option<JoinStage>,
    /// Address under which the member reaches the hub
    #[arg(long, value_name = "URL")]
    pub hub: Option<String>,
    /// Certificate of the hub's authority, PEM
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Image of the agent
    #[arg(long)]
    pub image: Option<String>,
}

/// Stages of a member cloud, as they are called in its DataCenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum JoinStage {
    /// Read, never written to
    Observed,
    /// People of the member confirm each decision
    Advised,
    /// Decisions are carried out, within what is lent
    Scheduled,
}

impl From<JoinStage> for MemberStage {
    fn from(stage: JoinStage) -> Self {
        match stage {
            JoinStage::Observed => Self::Observed,
            JoinStage::Advised => Self::Advised,
            JoinStage::Scheduled => Self::Scheduled,
        }
    }
}

/// What `approve` and `reject` share.
#[derive(Args, Debug)]
pub struct DecisionArgs {
    /// The request: rreq/NAME or NAME
    #[arg(value_parser = request_name)]
    pub request: String,
    /// Why, for everybody to read
    #[arg(long)]
    pub comment: Option<String>,
    /// Level; the lowest missing one that your groups may decide if not given
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=2))]
    pub level: Option<i32>,
}

/// Shells with a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

impl From<CompletionShell> for Shell {
    fn from(shell: CompletionShell) -> Self {
        match shell {
            CompletionShell::Bash => Self::Bash,
            CompletionShell::Zsh => Self::Zsh,
            CompletionShell::Fish => Self::Fish,
        }
    }
}

/// `2026-11`.
fn month(text: &str) -> Result<String, String> {
    match Month::parse(text) {
        Some(month) => Ok(month.to_string()),
        None => Err("write the month as 2026-11 | 月份格式为 2026-11".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn spellings_of_a_month() {
        assert_eq!(month("2026-11").unwrap(), "2026-11");
        assert!(month("11/2026").is_err() && month("2026-13").is_err());
    }
}

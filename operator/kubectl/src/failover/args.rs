//! The commands about moves.

use clap::{Args, Subcommand};

use crate::spelling::{failover_name, placement_name};

/// `failover …`.
#[derive(Subcommand, Debug)]
pub enum FailoverCommand {
    /// What a planned move would do: the order, the proof, the room, who has to agree. Nothing is applied
    Plan {
        /// The placement: dap/NAME or NAME
        #[arg(value_parser = placement_name)]
        placement: String,
        /// The centre that shall run it
        #[arg(long, value_name = "CENTRE")]
        to: String,
    },
    /// Ask for a planned move
    Start {
        /// The placement: dap/NAME or NAME
        #[arg(value_parser = placement_name)]
        placement: String,
        /// The centre that shall run it
        #[arg(long, value_name = "CENTRE")]
        to: String,
        /// How it is asked for.
        #[command(flatten)]
        how: StartArgs,
    },
    /// Moves and what they wait for; or one, step by step, with its proof and its time
    Status(WhichArgs),
    /// Agree that a move begins
    Approve {
        /// The move: fo/NAME or NAME
        #[arg(value_parser = failover_name)]
        name: String,
        /// Why, for everybody to read
        #[arg(long)]
        comment: Option<String>,
    },
    /// Say that a move shall not begin
    Reject {
        /// The move: fo/NAME or NAME
        #[arg(value_parser = failover_name)]
        name: String,
        /// Why, for everybody to read
        #[arg(long)]
        comment: Option<String>,
    },
    /// Say that you saw yourself that the old side is silent; it takes two people of two organisations
    ConfirmFence {
        /// The move: fo/NAME or NAME
        #[arg(value_parser = failover_name)]
        name: String,
        /// How it was seen, such as: racks 3 to 7 are without power, I stand before them
        #[arg(long)]
        comment: String,
    },
    /// Give a move up, as long as the new side does not run
    Abort {
        /// The move: fo/NAME or NAME
        #[arg(value_parser = failover_name)]
        name: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// `failback …`.
#[derive(Subcommand, Debug)]
pub enum FailbackCommand {
    /// Ask that a placement goes back to where it belongs
    Start {
        /// The placement: dap/NAME or NAME
        #[arg(value_parser = placement_name)]
        placement: String,
        /// How it is asked for.
        #[command(flatten)]
        how: StartArgs,
    },
    /// Moves back and what they wait for; or one, step by step
    Status(WhichArgs),
}

/// `fence …`.
#[derive(Subcommand, Debug)]
pub enum FenceCommand {
    /// Exclusive placements: who holds them, where gates stand, and whether a loss would be answered
    Status {
        /// Every department
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
}

/// How a move is asked for.
#[derive(Args, Debug)]
pub struct StartArgs {
    /// Why, for everybody to read
    #[arg(long)]
    pub comment: Option<String>,
    /// Let the server check it, and store nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Which moves.
#[derive(Args, Debug)]
pub struct WhichArgs {
    /// The move: fo/NAME or NAME; all of the namespace if not given
    #[arg(value_parser = failover_name)]
    pub name: Option<String>,
    /// Every department
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub all_namespaces: bool,
}

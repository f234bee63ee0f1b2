//! `kvplan scenario list|show|check`.

use super::EXIT_OK;
use super::common::Failure;
use super::print::{self, say};
use super::shape::{self, ShapeArgs};
use clap::Subcommand;
use kvplan::models::{self, Model, parse_overrides};
use kvplan::report::table::{Answer, Entry, table};
use kvplan::run::scenario::{Scenario, ScenarioFile};

/// Arguments of `kvplan scenario`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan scenario list
  kvplan scenario show production-1m > my.toml     a scenario to start from
  kvplan scenario check my.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the scenarios that come with kvplan
    List(ShapeArgs),
    /// Print the file of a scenario
    Show {
        /// A name from the list, or a file
        scenario: String,
    },
    /// Read a scenario and everything it names, and say whether it can be used
    Check {
        /// A name from the list, or a file
        scenario: String,
        /// Override one setting, as for `kvplan sweep`
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        overrides: Vec<String>,
    },
}

/// Carries the action out.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    match args.action {
        Action::List(shape) => {
            let rows = models::embedded_names(ScenarioFile::FOLDER)
                .into_iter()
                .map(|name| {
                    let file: ScenarioFile = models::load(&name, None, &[])?;
                    let traffic = Entry::level(file.traffic_per_month);
                    Ok(vec![name.into(), traffic, file.title.into()])
                })
                .collect::<Result<Vec<_>, Failure>>()?;
            let table = table(&["scenario", "requests/month", "title"], 3, rows);
            let answer = Answer::new().table("scenarios", table);
            shape::show(&answer, &shape.shape())?;
        }
        Action::Show { scenario } => {
            let (_, text, _) = models::source_text(ScenarioFile::FOLDER, &scenario, None)?;
            print::bytes(text.as_bytes());
        }
        Action::Check {
            scenario,
            overrides,
        } => {
            let loaded = Scenario::load(&scenario, &[], None, &parse_overrides(&overrides)?)?;
            say!(
                "{scenario}: good ({} policies, plan \"{}\", {} requests a month)",
                loaded.policies.len(),
                loaded.plan,
                loaded.traffic_per_month
            );
        }
    }
    Ok(EXIT_OK)
}

//! `kvplan schema`.

use super::EXIT_OK;
use super::common::Failure;
use super::print;
use super::print::say;
use super::shape::{self, LookArgs};
use clap::builder::PossibleValuesParser;
use kvplan::report::output::OutputDir;
use kvplan::report::table::{Form, table};
use kvplan::study::schema::{KINDS, Kind};
use std::path::PathBuf;

/// Arguments of `kvplan schema`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kvplan schema                              the kinds of model files
  kvplan schema scenario > scenario.schema.json
  kvplan schema --out .kvplan                all of them, as KIND.schema.json

Editors that know TOML complete and check a model file that begins with the line
  #:schema .kvplan/scenario.schema.json")]
pub(crate) struct Args {
    /// Kind of model file; all kinds are listed, or written to --out, if none is given
    #[arg(value_parser = PossibleValuesParser::new(KINDS.iter().map(|k| k.name)))]
    kind: Option<String>,
    /// Folder to write KIND.schema.json to, instead of printing; made if it does not exist
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints or writes JSON Schemas.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let wanted = |k: &&Kind| args.kind.as_deref().is_none_or(|name| k.name == name);
    let kinds = KINDS.iter().filter(wanted);
    match (args.out, &args.kind) {
        (Some(dir), _) => {
            let out = OutputDir::prepare(&dir)?;
            for kind in kinds {
                let name = format!("{}.schema.json", kind.name);
                out.write(&name, &text(kind)?)?;
            }
            for path in out.commit()? {
                say!("{}", path.display());
            }
        }
        (None, Some(_)) => {
            for kind in kinds {
                print::bytes(&text(kind)?);
            }
        }
        (None, None) => {
            let rows = kinds.map(|k| vec![k.name.to_owned(), format!("models/{}", k.folder)]);
            let kinds = table(&["kind", "files like those in"], 2, rows);
            shape::show(&kinds.into(), &LookArgs::default().shape(Form::Table))?;
        }
    }
    Ok(EXIT_OK)
}

fn text(kind: &Kind) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec_pretty(&(kind.schema)()).map_err(Failure::defect)?;
    bytes.push(b'\n');
    Ok(bytes)
}

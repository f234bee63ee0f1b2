//! `--theme` and `--form`: how charts look.

use clap::{Args, ValueEnum};
use kvplan::report::draw::look::{Form, Look, Theme};

/// How charts look.
#[derive(Args, Default)]
pub(crate) struct DrawArgs {
    /// Charts on a light or a dark ground
    #[arg(long, value_enum, default_value_t)]
    theme: ThemeArg,
    /// Charts for a document (1200 pixels wide), for slides (16:9, with larger texts) or for a phone (420 pixels wide)
    #[arg(long, value_enum, default_value_t)]
    form: FormArg,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ThemeArg {
    #[default]
    Light,
    Dark,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum FormArg {
    #[default]
    Print,
    Slides,
    Phone,
}

impl DrawArgs {
    /// What was asked for.
    pub(crate) fn look(&self) -> Look {
        let theme = match self.theme {
            ThemeArg::Light => Theme::Light,
            ThemeArg::Dark => Theme::Dark,
        };
        let form = match self.form {
            FormArg::Print => Form::Print,
            FormArg::Slides => Form::Slides,
            FormArg::Phone => Form::Phone,
        };
        Look { theme, form }
    }
}

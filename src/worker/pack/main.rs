//! Makes the module Worker of the wasm of `kvplan-worker`: what `worker-build` does, without its downloads.
//!
//! ```text
//! kvplan-worker-pack kvplan_worker.wasm shim.js FOLDER
//! ```
//!
//! The folder then has `index.js` (the shim), `glue.js` and what it imports, and `glue_bg.wasm`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [wasm, shim, folder] = &arguments[..] else {
        return Err("usage: kvplan-worker-pack kvplan_worker.wasm shim.js FOLDER".into());
    };
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(wasm)
        .out_name("glue")
        .module(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(folder)?;
    // Workers import wasm as a compiled module without saying so.
    let glue = folder.join("glue.js");
    let text = fs::read_to_string(&glue)?;
    fs::write(&glue, text.replace("import source ", "import "))?;
    fs::copy(shim, folder.join("index.js"))?;
    Ok(())
}

// The module that the runtime loads: gives each event to the Worker in wasm, and makes that anew after a trap
// (a defect), as nothing can be said of its memory then.

import * as glue from "./glue.js";

const state = glue.__worker_init_state();

async function enter(handler, ...event) {
  if (state.criticalError) {
    glue.__wbg_reset_state();
    state.criticalError = false;
    state.instanceId++;
  }
  try {
    return await handler(...event);
  } catch (e) {
    if (e instanceof WebAssembly.RuntimeError) {
      console.error("a defect", e);
      state.criticalError = true;
    }
    throw e;
  }
}

export default {
  fetch: (request, env, context) => enter(glue.fetch, request, env, context),
  scheduled: (event, env, context) => enter(glue.scheduled, event, env, context),
};

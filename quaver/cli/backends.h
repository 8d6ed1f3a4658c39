// The backends of the model server by name.
#pragma once

#include "quaver/serve/backend.h"
#include "quaver/serve/kserve_models.h"

namespace quaver {

// encoder, corrector, tokenizer, detokenizer, bart_encoder, bart_decoder:
// of a version folder that is a checkpoint, which is compiled once, or that has
// a plan, "model.plan" or default_model_filename.
// python: of a version folder with model.py.
// identity, addsub: of any folder, for tests.
//
// Parameters of a configuration
//   max_batch_tokens      encoder: of a batch
//   threads_per_instance  encoder, corrector, bart_encoder, bart_decoder
//   max_requests          corrector: calls of an instance at once
//   max_tokens            tokenizer, bart_encoder, bart_decoder: of a text
//   delay_us, execute_delay_ms  identity, addsub: that each call takes
//   EXECUTION_ENV_PATH    python: a program or an environment's folder
//   max_memory_bytes      python: address space of a process; 0: no limit
//   execute_limit_ms      python: of a batch, whatever deadlines say
//
// `models` are those that scripts may call. They outlive the backends.
Backends MakeBackends(KserveModels& models);

}  // namespace quaver

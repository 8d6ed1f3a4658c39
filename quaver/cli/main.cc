// The program `quaver`.
#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>

#include "quaver/base/log.h"
#include "quaver/cli/commands.h"

namespace {

constexpr char kFooter[] =
    "Exit status: 0 success; 1 the command failed, a message says why; 2 the "
    "command line was not understood.\n"
    "Environment: "
    "QUAVER_ISA=scalar|avx2|avx_vnni|avx512|avx512_vnni|avx512_bf16|amx "
    "forces an instruction set.";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A search bar for music and podcasts.", "quaver");
  app.require_subcommand(1);
  app.footer(kFooter);
  app.set_version_flag("--version", "quaver " QUAVER_VERSION);
  quaver::Action action;
  quaver::AddIngestCommand(app, action);
  quaver::AddServeCommand(app, action);
  quaver::AddSearchCommand(app, action);
  quaver::AddCorrectCommand(app, action);
  quaver::AddEmbedCommand(app, action);
  quaver::AddGenerateCommand(app, action);
  quaver::AddEvalCommand(app, action);
  quaver::AddBenchCommand(app, action);
  quaver::AddCompileCommand(app, action);
  quaver::AddInspectCommand(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status status = action();
  if (status.ok() && !std::cout.flush()) {
    status = absl::ResourceExhaustedError("cannot write to standard output");
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "quaver: %s\n", quaver::Message(status).c_str());
  return 1;
}

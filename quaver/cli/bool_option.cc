// See bool_option.h.
#include "quaver/cli/bool_option.h"

#include "absl/strings/ascii.h"

namespace quaver {

CLI::Option* AddBoolOption(CLI::App& command, const std::string& name,
                           bool& value, const std::string& help) {
  const auto read = [&value, name](const std::string& text) {
    const std::string word = absl::AsciiStrToLower(text);
    value = word.empty() || word == "true" || word == "1" || word == "on";
    if (!value && word != "false" && word != "0" && word != "off") {
      throw CLI::ValidationError(name,
                                 "expected true or false, not '" + text + "'");
    }
  };
  return command.add_option_function<std::string>(name, read, help)
      ->expected(0, 1)
      ->type_name(value ? "BOOL=true" : "BOOL=false");
}

}  // namespace quaver

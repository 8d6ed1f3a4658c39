// A model folder's JSON files, with errors that name file and field.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "quaver/artifact/model_files.h"
#include "quaver/base/status.h"

namespace quaver {

struct JsonFile {
  std::string path;
  nlohmann::json content;

  // Whether the field is there and not null.
  bool Has(const char* field) const {
    return content.contains(field) && !content[field].is_null();
  }

  // InvalidArgument unless it is a whole number from 1 on.
  absl::StatusOr<int> Count(const char* field) const;

  // Unimplemented for any value of a field other than `only`; absent is fine
  // when `may_lack`.
  absl::Status Require(const char* field, const nlohmann::json& only,
                       bool may_lack) const;

  static std::string Dump(const nlohmann::json& value);
};

// Unimplemented: "`path`: `what` is not supported".
absl::Status Unsupported(const std::string& path, const std::string& what);

// Of at most 1 MiB. InvalidArgument naming the file when it is none.
absl::StatusOr<JsonFile> ReadJson(const ModelFiles& files,
                                  const std::string& name);
absl::StatusOr<JsonFile> ReadJsonObject(const ModelFiles& files,
                                        const std::string& name);

}  // namespace quaver

// Documents written, read and deleted over HTTP.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quaver/catalogue/entity.h"
#include "quaver/ingest/live_index.h"
#include "quaver/net/http.h"

namespace quaver {

// So that every bad line can be reported in an answer of bounded size.
inline constexpr size_t kMaxLinesPerRequest = 10'000;

struct RejectedLine {
  size_t line = 0;  // from 1, empty lines counted
  std::string error;
};

struct ParsedDocuments {
  std::vector<Entity> entities;
  std::vector<RejectedLine> rejected;
};

// JSONL: one document a line, empty lines skipped. OutOfRange past
// kMaxLinesPerRequest documents.
absl::StatusOr<ParsedDocuments> ParseDocuments(std::string_view body);

// POST: applies all good lines in one transaction and reports every bad one.
// 400 when no line is good, 413 for too many.
HttpResponse PostDocuments(const HttpRequest& request, LiveIndex& index);

// Of request.segment: 200 or 404.
HttpResponse GetDocument(const HttpRequest& request, LiveIndex& index);

// Of request.segment: 204 or 404.
HttpResponse DeleteDocument(const HttpRequest& request, LiveIndex& index);

}  // namespace quaver

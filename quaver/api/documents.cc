// See documents.h.
#include "quaver/api/documents.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/api/answers.h"
#include "quaver/catalogue/document_json.h"

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// A parser's message may quote a whole line.
constexpr size_t kMaxReasonBytes = 300;

std::string Shorten(std::string reason) {
  if (reason.size() <= kMaxReasonBytes) return reason;
  size_t end = kMaxReasonBytes;
  while (end > 0 && (reason[end] & 0xC0) == 0x80) --end;  // whole letters
  return reason.substr(0, end) + "...";
}

Json RejectedJson(const std::vector<RejectedLine>& rejected) {
  Json list = Json::array();
  for (const RejectedLine& line : rejected) {
    list.push_back({{"line", line.line}, {"error", line.error}});
  }
  return list;
}

HttpResponse NothingGood(const ParsedDocuments& documents) {
  const std::string message =
      documents.rejected.empty()
          ? "the body holds no document: send one JSON object a line"
          : fmt::format(
                "none of the {} lines is a document; the first, line "
                "{}: {}",
                documents.rejected.size(), documents.rejected.front().line,
                documents.rejected.front().error);
  return JsonResponse({{"error", message},
                       {"status", 400},
                       {"accepted", 0},
                       {"rejected", RejectedJson(documents.rejected)}},
                      400);
}

}  // namespace

absl::StatusOr<ParsedDocuments> ParseDocuments(std::string_view body) {
  ParsedDocuments documents;
  if (body.starts_with(kByteOrderMark)) {
    body.remove_prefix(kByteOrderMark.size());
  }
  for (size_t number = 1; !body.empty(); ++number) {
    const size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (documents.entities.size() + documents.rejected.size() ==
        kMaxLinesPerRequest) {
      return absl::OutOfRangeError(
          fmt::format("more than {} documents in one request: send them in "
                      "parts; nothing was written",
                      kMaxLinesPerRequest));
    }
    auto entity = ParseDocumentJson(line);
    if (entity.ok()) {
      documents.entities.push_back(*std::move(entity));
    } else {
      documents.rejected.push_back({number, Shorten(Message(entity.status()))});
    }
  }
  return documents;
}

HttpResponse PostDocuments(const HttpRequest& request, LiveIndex& index) {
  const auto documents = ParseDocuments(request.body);
  if (!documents.ok()) {
    return ErrorResponse(413, Message(documents.status()));
  }
  if (documents->entities.empty()) return NothingGood(*documents);
  const auto sequence = index.Upsert(documents->entities);
  if (!sequence.ok()) return ErrorResponse(sequence.status());
  return JsonResponse({{"accepted", documents->entities.size()},
                       {"rejected", RejectedJson(documents->rejected)},
                       {"sequence", *sequence}});
}

HttpResponse GetDocument(const HttpRequest& request, LiveIndex& index) {
  const auto entity = index.Get(request.segment);
  if (!entity.ok()) return ErrorResponse(entity.status());
  return JsonResponse(Json(EntityToJson(*entity)));
}

HttpResponse DeleteDocument(const HttpRequest& request, LiveIndex& index) {
  const auto existed = index.Delete(request.segment);
  if (!existed.ok()) return ErrorResponse(existed.status());
  if (!*existed) {
    return ErrorResponse(404,
                         fmt::format("no document \"{}\"", request.segment));
  }
  HttpResponse response;
  response.status = 204;
  return response;
}

}  // namespace quaver

// See kserve_repository.h.
#include "quaver/serve/kserve_repository.h"

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/kserve_errors.h"

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFilePrefix[] = "file:";

// The value of a base64 character, -1 for one that is none.
int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

// RFC 4648, section 4; the padding may be missing.
absl::StatusOr<std::string> DecodeBase64(std::string_view text,
                                         std::string_view what) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  int num_bits = 0;
  for (const char c : text) {
    const int value = Base64Value(c);
    if (value < 0) {
      return absl::InvalidArgumentError(
          fmt::format("Unable to parse '{}': it is no base64", what));
    }
    bits = (bits << 6) | static_cast<uint32_t>(value);
    num_bits += 6;
    if (num_bits < 8) continue;
    num_bits -= 8;
    bytes += static_cast<char>((bits >> num_bits) & 0xFF);
  }
  if (text.size() % 4 == 1) {
    return absl::InvalidArgumentError(
        fmt::format("Unable to parse '{}': it is no base64", what));
  }
  return bytes;
}

// The members of "parameters", where there are any. `json` outlives them.
absl::StatusOr<JsonObject> ReadParameters(std::string_view body,
                                          JsonBody& json) {
  if (body.empty()) return JsonObject();
  RETURN_IF_ERROR(json.Parse(body));
  return OptionalMember<simdjson::dom::object>(json.root(), "parameters");
}

absl::StatusOr<bool> ParseUnloadBody(std::string_view body) {
  JsonBody json;
  ASSIGN_OR_RETURN(const JsonObject parameters, ReadParameters(body, json));
  return MemberOr(parameters, "unload_dependents", false);
}

absl::StatusOr<bool> ParseIndexBody(std::string_view body) {
  if (body.empty()) return false;
  JsonBody json;
  RETURN_IF_ERROR(json.Parse(body));
  const auto ready = MemberOr(JsonObject(json.root()), "ready", false);
  if (ready.ok()) return ready;
  return absl::InvalidArgumentError(
      "Invalid value for 'ready': expected a boolean");
}

Json EntryJson(const ModelEntry& entry) {
  Json json = {{"name", entry.name}};
  if (entry.version == 0 && entry.state == ModelState::kUnknown) return json;
  json["version"] = entry.version == 0 ? "" : fmt::to_string(entry.version);
  json["state"] = Name(entry.state);
  if (!entry.reason.empty()) json["reason"] = entry.reason;
  return json;
}

HttpResponse Answer(const absl::Status& status) {
  return status.ok() ? HttpResponse() : KserveError(status);
}

// What `parse` makes of the body, which is then let go: loading takes long, and
// few large bodies may be open.
template <typename Parse>
auto ReadBody(BodyReader& bodies, const HttpRequest& request,
              const Parse& parse) -> decltype(parse(std::string_view())) {
  ASSIGN_OR_RETURN(const RequestBody body, bodies.Open(request));
  return parse(body.bytes());
}

HttpResponse Index(const ModelRepository* repository,
                   const KserveModels& models, BodyReader& bodies,
                   const HttpRequest& request) {
  const auto only_ready = ReadBody(bodies, request, ParseIndexBody);
  if (!only_ready.ok()) return KserveError(only_ready.status());
  Json index = Json::array();
  for (const ModelEntry& entry :
       repository != nullptr ? repository->Index() : models.Index()) {
    if (*only_ready && entry.state != ModelState::kReady) continue;
    index.push_back(EntryJson(entry));
  }
  HttpResponse response;
  response.body =
      index.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

HttpResponse Load(ModelRepository& repository, BodyReader& bodies,
                  const HttpRequest& request) {
  const auto with = ReadBody(bodies, request, ParseLoadBody);
  if (!with.ok()) return KserveError(with.status());
  return Answer(repository.Load(request.segments[0], *with));
}

HttpResponse Unload(ModelRepository& repository, BodyReader& bodies,
                    const HttpRequest& request) {
  const auto dependents = ReadBody(bodies, request, ParseUnloadBody);
  if (!dependents.ok()) return KserveError(dependents.status());
  return Answer(repository.Unload(request.segments[0], *dependents));
}

using Action = HttpResponse(ModelRepository&, BodyReader&, const HttpRequest&);

}  // namespace

absl::StatusOr<LoadOverride> ParseLoadBody(std::string_view body) {
  JsonBody json;
  ASSIGN_OR_RETURN(const JsonObject parameters, ReadParameters(body, json));
  LoadOverride with;
  if (!parameters) return with;
  for (const simdjson::dom::key_value_pair parameter : *parameters) {
    const std::string key(parameter.key);
    std::string_view value;
    if (parameter.value.get(value) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError(
          fmt::format("Unable to parse '{}': expected a string", key));
    }
    if (key == "config") {
      with.config = std::string(value);
    } else if (key.starts_with(kFilePrefix)) {
      ASSIGN_OR_RETURN(with.files[key.substr(sizeof(kFilePrefix) - 1)],
                       DecodeBase64(value, key));
    } else {
      return absl::InvalidArgumentError(
          fmt::format("unrecognized load parameter '{}', expected 'config' or "
                      "'file:<version>/<file>'",
                      key));
    }
  }
  return with;
}

void RegisterRepository(Router& router, ModelRepository* repository,
                        const KserveModels& models, BodyReader& bodies) {
  for (const char* pattern :
       {"/v2/repository/index", "/v2/repository/{repository}/index"}) {
    router.Add("POST", pattern, [=, &models, &bodies](const HttpRequest& http) {
      return Index(repository, models, bodies, http);
    });
  }
  // No Retry-After: asking again does not help.
  const absl::Status allowed = CheckExplicit(repository);
  const auto refuse = [allowed](const HttpRequest&) {
    return KserveError(503, Message(allowed));
  };
  const auto refuse_repository = [](const HttpRequest&) {
    return KserveError(501, "'repository_name' specification is not supported");
  };
  const auto add = [&](const std::string& suffix, Action* action) {
    Router::Handler handler = refuse;
    if (allowed.ok()) {
      handler = [=, &bodies](const HttpRequest& request) {
        return action(*repository, bodies, request);
      };
    }
    router.Add("POST", "/v2/repository/models/{model}" + suffix, handler);
    router.Add("POST", "/v2/repository/{repository}/models/{model}" + suffix,
               refuse_repository);
  };
  add("/load", Load);
  add("/unload", Unload);
}

}  // namespace quaver

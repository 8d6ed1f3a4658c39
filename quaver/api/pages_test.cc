// Tests of the embedded page.
#include "quaver/api/pages.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HttpResponse Get(const std::string& path, const HttpFields& headers = {}) {
  Router router;
  RegisterPages(router);
  HttpRequest request;
  request.method = "GET";
  request.path = path;
  request.headers = headers;
  return router.Handle(request);
}

TEST(PagesTest, FilesAreEmbeddedByteForByte) {
  const std::string web = QUAVER_SOURCE_DIR "/web/";
  EXPECT_EQ(Get("/").body, ReadFile(web + "index.html").value());
  EXPECT_EQ(Get("/style.css").body, ReadFile(web + "style.css").value());
  EXPECT_EQ(Get("/v1/openapi.json").body,
            ReadFile(QUAVER_SOURCE_DIR "/quaver/api/openapi.json").value());
}

TEST(PagesTest, TypesAreTold) {
  EXPECT_EQ(Get("/").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(Get("/app.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(Get("/icon.svg").content_type, "image/svg+xml");
  EXPECT_EQ(Get("/v1/openapi.json").content_type, "application/json");
}

// What stands between `before` and the next `after`, wherever that is.
std::vector<std::string> Between(std::string_view text, std::string_view before,
                                 char after) {
  std::vector<std::string> found;
  for (size_t begin = text.find(before); begin != std::string_view::npos;
       begin = text.find(before, begin)) {
    begin += before.size();
    found.emplace_back(text.substr(begin, text.find(after, begin) - begin));
  }
  return found;
}

TEST(PagesTest, WhateverThePageLoadsIsThere) {
  int num_references = 0;
  for (const EmbeddedFile& file : EmbeddedFiles()) {
    std::vector<std::string> names = Between(file.content, " from './", '\'');
    if (file.name == "index.html") {
      for (const char* before : {" src=\"", "<link rel=\"stylesheet\" href=\"",
                                 "<link rel=\"icon\" href=\""}) {
        for (std::string& name : Between(file.content, before, '"')) {
          names.push_back(std::move(name));
        }
      }
    }
    for (const std::string& name : names) {
      EXPECT_EQ(Get("/" + name).status, 200) << name << " of " << file.name;
      ++num_references;
    }
  }
  EXPECT_GT(num_references, 10);
}

TEST(PagesTest, NothingInlineAndNothingForeignMayRun) {
  const std::string policy =
      *FindField(Get("/").headers, "Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("script-src 'self';"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

TEST(PagesTest, AKnownETagSavesTheBody) {
  const HttpResponse first = Get("/");
  const std::string etag = *FindField(first.headers, "ETag");
  EXPECT_EQ(*FindField(first.headers, "Cache-Control"), "no-cache");
  const HttpResponse second =
      Get("/", {{"if-none-match", "\"other\", W/" + etag}});
  EXPECT_EQ(second.status, 304);
  EXPECT_EQ(second.body, "");
  EXPECT_EQ(Get("/", {{"if-none-match", "\"other\""}}).status, 200);
  EXPECT_NE(*FindField(Get("/style.css").headers, "ETag"), etag);
}

TEST(PagesTest, NothingElseIsServed) {
  for (const char* path : {"/README.md", "/..", "/../Makefile", "/%2e%2e%2fx",
                           "/index.html/", "/web/index.html"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

}  // namespace
}  // namespace quaver

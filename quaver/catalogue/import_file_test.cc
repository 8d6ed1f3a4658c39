// Tests of import: compression, files, batches, the file of bad lines.
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/catalogue/import.h"
#include "quaver/catalogue/store.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Imported {
  absl::Status status;
  std::vector<Entity> entities;
  std::vector<BadLine> bad;
  size_t largest_batch = 0;
};

Imported Import(std::string_view bytes, const std::string& name,
                const ImportOptions& options = {}) {
  Imported result;
  ImportCallbacks callbacks;
  callbacks.entities = [&](std::vector<Entity> batch) {
    result.largest_batch = std::max(result.largest_batch, batch.size());
    std::move(batch.begin(), batch.end(), std::back_inserter(result.entities));
    return absl::OkStatus();
  };
  callbacks.bad_line = [&](const BadLine& line) { result.bad.push_back(line); };
  SeenIds seen;
  auto stats = ReadCatalogueBytes(bytes, name, options, seen, callbacks);
  result.status = stats.status();
  return result;
}

std::string Gzip(const std::string& text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8,
                         Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// With a checksum, as the command zstd writes.
std::string Zstd(const std::string& text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(),
                            text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

std::string ManyRows(int count) {
  std::string text = "id\ttitle\tdescription\n";
  Random random(7);
  for (int i = 0; i < count; ++i) {
    text += fmt::format("{}\ttitle {}\t{:x}\n", i, i, random.Next());
  }
  return text;
}

TEST(ImportTest, CompressedFilesReadAsPlainOnes) {
  const std::string plain = ManyRows(5000);
  const std::string head = plain.substr(0, 70'001);
  const std::string tail = plain.substr(70'001);
  const Imported expected = Import(plain, "x.tsv");
  ASSERT_THAT(expected.entities, SizeIs(5000));
  const std::string files[] = {Gzip(plain), Gzip(head) + Gzip(tail),
                               Zstd(plain), Zstd(head) + Zstd(tail)};
  for (const std::string& file : files) {
    EXPECT_LT(file.size(), plain.size());
    const Imported imported = Import(file, "x.tsv.z");
    ASSERT_TRUE(imported.status.ok()) << imported.status;
    EXPECT_TRUE(imported.entities == expected.entities);
  }
}

TEST(ImportTest, DamagedCompressionFailsAndKeepsWhatCameBefore) {
  const std::string plain = ManyRows(20'000);
  for (const std::string& file : {Gzip(plain), Zstd(plain)}) {
    const Imported cut = Import(file.substr(0, file.size() - 100), "x.tsv.z");
    EXPECT_EQ(cut.status.code(), absl::StatusCode::kDataLoss) << cut.status;
    EXPECT_THAT(Message(cut.status), HasSubstr("x.tsv.z"));
    EXPECT_GT(cut.entities.size(), 5000u);
    EXPECT_THAT(cut.bad, IsEmpty()) << "half a line is not a bad line";
    std::string flipped = file;
    flipped[file.size() / 2] ^= 0x10;
    EXPECT_FALSE(Import(flipped, "x.tsv.z").status.ok());
    EXPECT_FALSE(Import(file + "garbage", "x.tsv.z").status.ok());
  }
}

TEST(ImportTest, BatchesAreBoundedAndErrorsStop) {
  ImportOptions options;
  options.batch_rows = 64;
  const Imported imported = Import(ManyRows(1000), "x.tsv", options);
  EXPECT_EQ(imported.largest_batch, 64u);
  EXPECT_THAT(imported.entities, SizeIs(1000));
  SeenIds seen;
  int calls = 0;
  ImportCallbacks callbacks;
  callbacks.entities = [&](const std::vector<Entity>&) {
    ++calls;
    return absl::ResourceExhaustedError("disk full");
  };
  const auto stopped =
      ReadCatalogueBytes(ManyRows(1000), "x.tsv", options, seen, callbacks);
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(calls, 1);
}

std::string NewFolder(const std::string& name) {
  const std::string folder =
      fmt::format("{}quaver_import_{}_{}", testing::TempDir(), name, getpid());
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(MakeFolders(folder).ok());
  return folder;
}

TEST(ImportFileTest, ReadsFilesIntoTheStoreAndTellsProgress) {
  const std::string folder = NewFolder("file");
  const std::string packed = Gzip(ManyRows(3000));
  ASSERT_TRUE(WriteFileAtomically(folder + "/a.tsv.gz", packed).ok());
  const auto store = CatalogueStore::Open(folder + "/catalogue.db").value();
  SeenIds seen;
  int64_t last_bytes = 0;
  ImportCallbacks callbacks;
  callbacks.entities = [&](const std::vector<Entity>& batch) {
    return store->Upsert(batch).status();
  };
  callbacks.progress = [&](int64_t bytes) {
    EXPECT_GE(bytes, last_bytes);
    last_bytes = bytes;
  };
  ASSERT_TRUE(
      ReadCatalogueFile(folder + "/a.tsv.gz", {}, seen, callbacks).ok());
  EXPECT_EQ(last_bytes, static_cast<int64_t>(packed.size()));
  EXPECT_EQ(store->Count(EntityType::kTrack).value(), 3000);
  EXPECT_EQ(store->Get("track:2999")->title, "title 2999");
}

TEST(ImportFileTest, NamesAFileThatCannotBeRead) {
  SeenIds seen;
  ImportCallbacks callbacks;
  callbacks.entities = [](const std::vector<Entity>&) {
    return absl::OkStatus();
  };
  const auto missing =
      ReadCatalogueFile("/nowhere.tsv", {}, seen, callbacks).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(missing), HasSubstr("/nowhere.tsv"));
  EXPECT_FALSE(ReadCatalogueFile(NewFolder("dir"), {}, seen, callbacks).ok());
}

TEST(RejectedFileTest, HoldsOneEscapedRowABadLine) {
  const std::string path = NewFolder("rejected") + "/rejected.tsv";
  const auto file = RejectedFile::Create(path).value();
  file->Add({"a\tb.csv", 3, "title is missing", "x\ty\\\r\n\xff"});
  ASSERT_TRUE(file->Finish().ok());
  EXPECT_EQ(file->num_lines(), 1);
  EXPECT_EQ(ReadFile(path).value(),
            "file\tline\treason\ttext\n"
            "a\\tb.csv\t3\ttitle is missing\tx\\ty\\\\\\r\\n\xef\xbf\xbd\n");
  EXPECT_FALSE(RejectedFile::Create("/nowhere/rejected.tsv").ok());
  const auto full = RejectedFile::Create("/dev/full").value();
  full->Add({"a.csv", 1, "r", "t"});
  EXPECT_EQ(full->Finish().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace quaver

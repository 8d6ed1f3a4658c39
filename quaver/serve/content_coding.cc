// See content_coding.h.
#include "quaver/serve/content_coding.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "quaver/base/check.h"
#include "quaver/net/http.h"

namespace quaver {
namespace {

constexpr std::array<std::string_view, 3> kCodings = {"identity", "gzip",
                                                      "deflate"};
constexpr size_t kChunkBytes = 64 << 10;
constexpr int kMemoryLevel = 8;  // zlib's default

// zlib's numbers: the window of 32 KiB, 16 more for gzip's header.
int WindowBits(ContentCoding coding) {
  return coding == ContentCoding::kGzip ? MAX_WBITS + 16 : MAX_WBITS;
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Of "gzip;q=0.5". A weight that is no number counts as 0.
double Weight(std::string_view parameters) {
  parameters = Trim(parameters);
  if (parameters.empty()) return 1;
  if (!parameters.starts_with("q=")) return 0;
  double weight = 0;
  std::from_chars(parameters.data() + 2, parameters.data() + parameters.size(),
                  weight);
  return weight;
}

class Inflater {
 public:
  explicit Inflater(ContentCoding coding) {
    QUAVER_CHECK(inflateInit2(&stream_, WindowBits(coding)) == Z_OK);
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_ = {};
};

}  // namespace

std::string_view CodingName(ContentCoding coding) {
  return kCodings[static_cast<size_t>(coding)];
}

absl::StatusOr<ContentCoding> ParseContentCoding(std::string_view header) {
  const std::string name = ToLower(Trim(header));
  if (name.empty()) return ContentCoding::kIdentity;
  const auto found = std::find(kCodings.begin(), kCodings.end(), name);
  if (found == kCodings.end()) {
    return absl::UnimplementedError(fmt::format(
        "unsupported Content-Encoding \"{}\": it has to be gzip, deflate or "
        "identity",
        header));
  }
  return static_cast<ContentCoding>(found - kCodings.begin());
}

ContentCoding AcceptedCoding(std::string_view header) {
  auto best = ContentCoding::kIdentity;
  double best_weight = 0;
  while (!header.empty()) {
    const std::string_view item = header.substr(0, header.find(','));
    header.remove_prefix(std::min(header.size(), item.size() + 1));
    const std::string_view name = item.substr(0, item.find(';'));
    const double weight =
        Weight(item.substr(std::min(item.size(), name.size() + 1)));
    const auto coding = ParseContentCoding(name);
    if (Trim(name).empty() || !coding.ok() || weight <= best_weight) continue;
    best = *coding;
    best_weight = weight;
  }
  return best;
}

absl::StatusOr<std::string> DecodeBody(ContentCoding coding,
                                       std::string_view bytes,
                                       size_t max_bytes) {
  const auto too_large = [max_bytes] {
    return absl::OutOfRangeError(fmt::format(
        "the decompressed body exceeds the maximum allowed input size of {} "
        "bytes",
        max_bytes));
  };
  if (coding == ContentCoding::kIdentity) {
    if (bytes.size() > max_bytes) return too_large();
    return std::string(bytes);
  }
  QUAVER_CHECK(bytes.size() <= std::numeric_limits<uInt>::max());
  Inflater inflater(coding);
  z_stream& stream = inflater.stream();
  // zlib promises not to write there.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string decoded;
  while (true) {
    const size_t num_bytes = decoded.size();
    decoded.resize(num_bytes + kChunkBytes);
    stream.next_out = reinterpret_cast<Bytef*>(decoded.data() + num_bytes);
    stream.avail_out = kChunkBytes;
    const int result = inflate(&stream, Z_NO_FLUSH);
    decoded.resize(num_bytes + kChunkBytes - stream.avail_out);
    if (decoded.size() > max_bytes) return too_large();
    if (result == Z_STREAM_END) break;
    if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return absl::InvalidArgumentError(
          fmt::format("the body is no complete {} data", CodingName(coding)));
    }
  }
  if (stream.avail_in != 0) {
    return absl::InvalidArgumentError(
        fmt::format("the body goes on for {} bytes after its {} data",
                    stream.avail_in, CodingName(coding)));
  }
  return decoded;
}

std::string EncodeBody(ContentCoding coding, std::string_view bytes) {
  if (coding == ContentCoding::kIdentity) return std::string(bytes);
  QUAVER_CHECK(bytes.size() <= std::numeric_limits<uInt>::max());
  z_stream stream = {};
  QUAVER_CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED,
                            WindowBits(coding), kMemoryLevel,
                            Z_DEFAULT_STRATEGY) == Z_OK);
  std::string encoded(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(encoded.data());
  stream.avail_out = static_cast<uInt>(encoded.size());
  const int result = deflate(&stream, Z_FINISH);
  encoded.resize(stream.total_out);
  deflateEnd(&stream);
  QUAVER_CHECK(result == Z_STREAM_END);
  return encoded;
}

}  // namespace quaver

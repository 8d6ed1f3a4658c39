// See metrics.h.
#include "quaver/train/metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

struct Point {
  double x = 0, y = 0;
};
struct Curve {
  std::string name;
  std::vector<Point> points;
};

constexpr double kWidth = 640, kHeight = 240;
constexpr double kLeft = 56, kRight = 12, kTop = 12, kBottom = 28;
constexpr const char* kColours[] = {"#1f6feb", "#d1242f", "#1a7f37", "#9a6700",
                                    "#8250df", "#bf3989", "#0a7ea4", "#57606a",
                                    "#b35900", "#116329"};

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Duration(double seconds) {
  const auto s = static_cast<int64_t>(std::max(0.0, seconds));
  return fmt::format("{}:{:02}:{:02}", s / 3'600, s / 60 % 60, s % 60);
}

std::string Thousands(int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

// A step of 1, 2 or 5 times a power of ten that gives about five marks.
double MarkStep(double range) {
  const double rough = range / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

// One picture. `percent` values run from 0 to 1.
std::string Picture(const std::string& title, const std::vector<Curve>& curves,
                    bool percent) {
  double x_most = 1, y_least = INFINITY, y_most = -INFINITY;
  for (const Curve& curve : curves) {
    for (const Point& point : curve.points) {
      if (!std::isfinite(point.y)) continue;
      x_most = std::max(x_most, point.x);
      y_least = std::min(y_least, point.y);
      y_most = std::max(y_most, point.y);
    }
  }
  if (y_least > y_most) return "";
  if (y_least > 0 && y_least < 0.6 * y_most) y_least = 0;
  // A curve that never changes lies in the middle.
  if (y_most - y_least < 1e-3 * std::fabs(y_most) + 1e-9) {
    const double room = 0.1 * std::fabs(y_most) + (y_most == 0 ? 0.1 : 0);
    y_most += room;
    y_least -= y_least == 0 ? 0 : room;
  }
  const double x_scale = (kWidth - kLeft - kRight) / x_most;
  const double y_scale = (kHeight - kTop - kBottom) / (y_most - y_least);
  const auto x_of = [&](double x) { return kLeft + x * x_scale; };
  const auto y_of = [&](double y) {
    return kHeight - kBottom - (y - y_least) * y_scale;
  };
  std::string svg = fmt::format(
      "<figure><figcaption>{}</figcaption><svg viewBox='0 0 {} {}' role='img' "
      "aria-label='{}'>",
      Escaped(title), kWidth, kHeight, Escaped(title));
  const double step = MarkStep(y_most - y_least);
  for (double y = std::ceil(y_least / step) * step; y <= y_most + 1e-9;
       y += step) {
    const std::string label =
        percent ? fmt::format("{:.3g} %", 100 * y) : fmt::format("{:.4g}", y);
    svg += fmt::format(
        "<line class='g' x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}'/><text x='{}' "
        "y='{:.1f}' text-anchor='end'>{}</text>",
        kLeft, kWidth - kRight, y_of(y), y_of(y), kLeft - 6, y_of(y) + 4,
        label);
  }
  const double x_step = MarkStep(x_most);
  for (double x = 0; x <= x_most + 1e-9; x += x_step) {
    svg +=
        fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>",
                    x_of(x), kHeight - 8, Thousands(static_cast<int64_t>(x)));
  }
  size_t colour = 0;
  std::string legend;
  for (const Curve& curve : curves) {
    const char* stroke = kColours[colour++ % std::size(kColours)];
    svg += fmt::format("<polyline stroke='{}' points='", stroke);
    for (const Point& point : curve.points) {
      if (!std::isfinite(point.y)) continue;
      svg += fmt::format("{:.1f},{:.1f} ", x_of(point.x), y_of(point.y));
    }
    svg += "'/>";
    if (curves.size() > 1) {
      const double last = curve.points.empty() ? 0 : curve.points.back().y;
      legend += fmt::format("<span style='color:{}'>{} {}</span> ", stroke,
                            Escaped(curve.name),
                            percent ? fmt::format("{:.1f} %", 100 * last)
                                    : fmt::format("{:.4g}", last));
    }
  }
  return svg + "</svg><p>" + legend + "</p></figure>\n";
}

Curve CurveOf(const std::vector<Metric>& metrics,
              const std::function<double(const Metric&)>& value,
              bool evaluated) {
  Curve curve;
  for (const Metric& metric : metrics) {
    if (evaluated && !metric.evaluated) continue;
    curve.points.push_back({static_cast<double>(metric.step), value(metric)});
  }
  return curve;
}

// By set, in the order in which they first came.
std::vector<Curve> ExactFixCurves(const std::vector<Metric>& metrics) {
  std::vector<Curve> curves;
  std::map<std::string, size_t> places;
  for (const Metric& metric : metrics) {
    for (const auto& [name, share] : metric.exact_fix) {
      if (name == "clean") continue;
      const auto [at, is_new] = places.emplace(name, curves.size());
      if (is_new) curves.push_back({name, {}});
      curves[at->second].points.push_back(
          {static_cast<double>(metric.step), share});
    }
  }
  return curves;
}

double FalseCorrections(const Metric& metric) {
  for (const auto& [name, share] : metric.exact_fix) {
    if (name == "clean") return 1 - share;
  }
  return 0;
}

const Metric* LastEvaluated(const std::vector<Metric>& metrics) {
  const auto last =
      std::find_if(metrics.rbegin(), metrics.rend(),
                   [](const Metric& metric) { return metric.evaluated; });
  return last == metrics.rend() ? nullptr : &*last;
}

double MeanExact(const Metric& metric) {
  double sum = 0;
  int count = 0;
  for (const auto& [name, share] : metric.exact_fix) {
    if (name == "clean") continue;
    sum += share;
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

constexpr char kStyle[] =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:700px;"
    "padding:0 1rem;color:#1f2328;background:#fff}figure{margin:1.5rem 0}"
    "figcaption{font-weight:600}svg{width:100%;height:auto}svg text{font-size:"
    "11px;fill:#57606a}.g{stroke:#d0d7de;stroke-width:.5}polyline{fill:none;"
    "stroke-width:1.5}pre{background:#f6f8fa;padding:1rem;overflow:auto}p span"
    "{margin-right:.8rem}@media(prefers-color-scheme:dark){body{background:"
    "#0d1117;color:#e6edf3}svg text{fill:#8b949e}.g{stroke:#30363d}pre"
    "{background:#161b22}}";

}  // namespace

std::string ToJsonLine(const Metric& metric) {
  Json json = {{"step", metric.step},
               {"seconds", metric.seconds},
               {"loss", metric.loss},
               {"learning_rate", metric.learning_rate},
               {"gradient_norm", metric.gradient_norm},
               {"tokens_per_s", metric.tokens_per_s},
               {"mfu", metric.mfu}};
  if (metric.evaluated) {
    json["held_out_loss"] = metric.held_out_loss;
    json["score"] = metric.score;
    Json sets = Json::object();
    for (const auto& [name, share] : metric.exact_fix) sets[name] = share;
    json["exact_fix"] = sets;
  }
  return json.dump() + "\n";
}

absl::StatusOr<std::vector<Metric>> ParseMetrics(std::string_view lines) {
  std::vector<Metric> metrics;
  for (int64_t number = 1; !lines.empty(); ++number) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    try {
      const Json json = Json::parse(line);
      Metric metric;
      json.at("step").get_to(metric.step);
      json.at("seconds").get_to(metric.seconds);
      json.at("loss").get_to(metric.loss);
      json.at("learning_rate").get_to(metric.learning_rate);
      // JSON has no infinity: fp16 gradients may have that.
      const Json& norm = json.at("gradient_norm");
      metric.gradient_norm = norm.is_null() ? INFINITY : norm.get<double>();
      json.at("tokens_per_s").get_to(metric.tokens_per_s);
      json.at("mfu").get_to(metric.mfu);
      metric.evaluated = json.contains("exact_fix");
      if (metric.evaluated) {
        json.at("held_out_loss").get_to(metric.held_out_loss);
        json.at("score").get_to(metric.score);
        for (const auto& [name, share] : json.at("exact_fix").items()) {
          metric.exact_fix.emplace_back(name, share.get<double>());
        }
      }
      metrics.push_back(std::move(metric));
    } catch (const Json::exception& error) {
      return absl::InvalidArgumentError(
          fmt::format("line {} is no metric: {}", number, error.what()));
    }
  }
  return metrics;
}

std::string ProgressLine(const std::vector<Metric>& metrics, int64_t steps) {
  if (metrics.empty()) return fmt::format("step 0/{}", Thousands(steps));
  const Metric& last = metrics.back();
  std::string line = fmt::format(
      "step {}/{}  loss {:.3f}  {} tokens/s  MFU {:.0f} %",
      Thousands(last.step), Thousands(steps), last.loss,
      Thousands(static_cast<int64_t>(last.tokens_per_s)), 100 * last.mfu);
  if (const Metric* judged = LastEvaluated(metrics)) {
    line +=
        fmt::format("  exact {:.1f} %  false {:.1f} %",
                    100 * MeanExact(*judged), 100 * FalseCorrections(*judged));
  }
  const Metric& first = metrics.front();
  if (last.step > first.step) {
    const double rate = (last.seconds - first.seconds) /
                        static_cast<double>(last.step - first.step);
    line += fmt::format(
        "  {} left", Duration(rate * static_cast<double>(steps - last.step)));
  }
  return line;
}

std::string ReportHtml(const std::string& title,
                       const std::vector<Metric>& metrics,
                       const std::string& recipe) {
  std::string html = fmt::format(
      "<!doctype html><html lang='en'><meta charset='utf-8'><meta name="
      "'viewport' content='width=device-width'><title>{0}</title><style>{1}"
      "</style><h1>{0}</h1>\n",
      Escaped(title), kStyle);
  if (!metrics.empty()) {
    const Metric& last = metrics.back();
    html += fmt::format("<p>{} updates in {}, {:.0f} useful tokens/s.</p>\n",
                        Thousands(last.step), Duration(last.seconds),
                        last.tokens_per_s);
  }
  Curve training = CurveOf(metrics, [](auto& m) { return m.loss; }, false);
  Curve held_out =
      CurveOf(metrics, [](auto& m) { return m.held_out_loss; }, true);
  training.name = "training";
  held_out.name = "held out";
  html += Picture("Exact fix by set", ExactFixCurves(metrics), true);
  html += Picture("False corrections of clean queries",
                  {CurveOf(metrics, FalseCorrections, true)}, true);
  html += Picture("Loss, nats a token", {training, held_out}, false);
  html += Picture(
      "Useful tokens a second",
      {CurveOf(metrics, [](auto& m) { return m.tokens_per_s; }, false)}, false);
  html +=
      Picture("MFU: share of the measured product peak",
              {CurveOf(metrics, [](auto& m) { return m.mfu; }, false)}, true);
  html += Picture("Learning rate",
                  {CurveOf(
                      metrics, [](auto& m) { return m.learning_rate; }, false)},
                  false);
  html += Picture("Gradient norm",
                  {CurveOf(
                      metrics, [](auto& m) { return m.gradient_norm; }, false)},
                  false);
  return html + "<h2>Recipe</h2><pre>" + Escaped(recipe) + "</pre></html>\n";
}

}  // namespace quaver

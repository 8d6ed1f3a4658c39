// The list of misspellings: a small one of our own, and files.
#include "quaver/noise/misspellings.h"

#include <algorithm>
#include <utility>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr size_t kLeastLetters = 4;
constexpr uint64_t kHeldOutOneIn = 5;

// Wrong, right. Only what many people write, of words that titles use.
constexpr std::pair<std::string_view, std::string_view> kCommon[] = {
    {"adicted", "addicted"},
    {"acoustik", "acoustic"},
    {"allways", "always"},
    {"amercia", "america"},
    {"angle", "angel"},
    {"bautiful", "beautiful"},
    {"beatiful", "beautiful"},
    {"beutiful", "beautiful"},
    {"becuase", "because"},
    {"becouse", "because"},
    {"beleive", "believe"},
    {"belive", "believe"},
    {"bizzare", "bizarre"},
    {"bohemien", "bohemian"},
    {"boulavard", "boulevard"},
    {"breth", "breath"},
    {"brige", "bridge"},
    {"brigde", "bridge"},
    {"brocken", "broken"},
    {"burnning", "burning"},
    {"calender", "calendar"},
    {"carosel", "carousel"},
    {"chandeleir", "chandelier"},
    {"choclate", "chocolate"},
    {"cristmas", "christmas"},
    {"chrismas", "christmas"},
    {"ciggarettes", "cigarettes"},
    {"comming", "coming"},
    {"controll", "control"},
    {"crasy", "crazy"},
    {"dancin", "dancing"},
    {"dangerus", "dangerous"},
    {"desparate", "desperate"},
    {"dimond", "diamond"},
    {"diamons", "diamonds"},
    {"dissapear", "disappear"},
    {"dreem", "dream"},
    {"enuff", "enough"},
    {"enogh", "enough"},
    {"everbody", "everybody"},
    {"evrybody", "everybody"},
    {"everthing", "everything"},
    {"exstasy", "ecstasy"},
    {"fantacy", "fantasy"},
    {"favorate", "favorite"},
    {"feelin", "feeling"},
    {"finaly", "finally"},
    {"foriegn", "foreign"},
    {"forver", "forever"},
    {"foward", "forward"},
    {"freind", "friend"},
    {"freinds", "friends"},
    {"garentee", "guarantee"},
    {"genaration", "generation"},
    {"ghosst", "ghost"},
    {"gost", "ghost"},
    {"goodby", "goodbye"},
    {"gaurd", "guard"},
    {"guitare", "guitar"},
    {"haert", "heart"},
    {"hart", "heart"},
    {"harmoney", "harmony"},
    {"heven", "heaven"},
    {"heros", "heroes"},
    {"holliday", "holiday"},
    {"halleluja", "hallelujah"},
    {"hunderd", "hundred"},
    {"imagin", "imagine"},
    {"immagine", "imagine"},
    {"inocence", "innocence"},
    {"iland", "island"},
    {"jelousy", "jealousy"},
    {"jelous", "jealous"},
    {"knigth", "knight"},
    {"lauging", "laughing"},
    {"lightening", "lightning"},
    {"litle", "little"},
    {"littel", "little"},
    {"lonley", "lonely"},
    {"lonly", "lonely"},
    {"lulaby", "lullaby"},
    {"maschine", "machine"},
    {"melancoly", "melancholy"},
    {"memmories", "memories"},
    {"memorys", "memories"},
    {"midnite", "midnight"},
    {"mirrior", "mirror"},
    {"miror", "mirror"},
    {"mistery", "mystery"},
    {"moring", "morning"},
    {"mountian", "mountain"},
    {"nieghborhood", "neighborhood"},
    {"nite", "night"},
    {"nigth", "night"},
    {"nothin", "nothing"},
    {"orchastra", "orchestra"},
    {"orignal", "original"},
    {"paradice", "paradise"},
    {"parinoid", "paranoid"},
    {"peple", "people"},
    {"poeple", "people"},
    {"perfekt", "perfect"},
    {"physco", "psycho"},
    {"plesure", "pleasure"},
    {"posession", "possession"},
    {"posible", "possible"},
    {"priness", "princess"},
    {"promiss", "promise"},
    {"probelm", "problem"},
    {"rapsody", "rhapsody"},
    {"raspody", "rhapsody"},
    {"realy", "really"},
    {"receve", "receive"},
    {"recieve", "receive"},
    {"rember", "remember"},
    {"remeber", "remember"},
    {"remasterd", "remastered"},
    {"rendevous", "rendezvous"},
    {"rithm", "rhythm"},
    {"rythm", "rhythm"},
    {"ryhthm", "rhythm"},
    {"satelite", "satellite"},
    {"satifaction", "satisfaction"},
    {"saterday", "saturday"},
    {"scientest", "scientist"},
    {"seperate", "separate"},
    {"serius", "serious"},
    {"shaddow", "shadow"},
    {"shadw", "shadow"},
    {"sience", "science"},
    {"silense", "silence"},
    {"simpathy", "sympathy"},
    {"simphony", "symphony"},
    {"smels", "smells"},
    {"soldeir", "soldier"},
    {"solder", "soldier"},
    {"somthing", "something"},
    {"someting", "something"},
    {"sombody", "somebody"},
    {"sorow", "sorrow"},
    {"speical", "special"},
    {"starway", "stairway"},
    {"strenght", "strength"},
    {"strager", "stranger"},
    {"streat", "street"},
    {"sumer", "summer"},
    {"suprise", "surprise"},
    {"surender", "surrender"},
    {"tambourin", "tambourine"},
    {"thier", "their"},
    {"theif", "thief"},
    {"thousend", "thousand"},
    {"throught", "through"},
    {"togehter", "together"},
    {"togather", "together"},
    {"tommorow", "tomorrow"},
    {"tomorow", "tomorrow"},
    {"tommorrow", "tomorrow"},
    {"tonite", "tonight"},
    {"tonigth", "tonight"},
    {"truely", "truly"},
    {"umberella", "umbrella"},
    {"umbrela", "umbrella"},
    {"untill", "until"},
    {"violance", "violence"},
    {"vally", "valley"},
    {"wierd", "weird"},
    {"wensday", "wednesday"},
    {"wisper", "whisper"},
    {"whereever", "wherever"},
    {"wich", "which"},
    {"wonderfull", "wonderful"},
    {"woud", "would"},
    {"yesturday", "yesterday"},
    {"yesterdy", "yesterday"},
    {"yelow", "yellow"},
    {"youre", "your"},
};

bool IsOneWord(std::string_view comparable) {
  return !comparable.empty() && comparable.find(' ') == std::string_view::npos;
}

}  // namespace

Misspellings Misspellings::Common() {
  Misspellings result;
  for (const auto& [wrong, right] : kCommon) result.Add(wrong, right);
  return result;
}

absl::StatusOr<Misspellings> Misspellings::Load(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  Misspellings result;
  std::string_view left = content;
  for (size_t line = 1; !left.empty(); ++line) {
    const size_t end = std::min(left.find('\n'), left.size());
    const std::string_view row = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    if (row.empty()) continue;
    const size_t tab = row.find('\t');
    if (tab == std::string_view::npos) {
      return absl::InvalidArgumentError(fmt::format(
          "{}:{}: expected a wrong and a right word with a tab between", path,
          line));
    }
    const std::string_view right = row.substr(tab + 1);
    result.Add(row.substr(0, tab), right.substr(0, right.find('\t')));
  }
  return result;
}

void Misspellings::Add(std::string_view wrong, std::string_view right) {
  std::string bad = ComparableText(wrong);
  const std::string good = ComparableText(right);
  if (!IsOneWord(bad) || !IsOneWord(good) || bad == good) return;
  if (ToCodePoints(good).size() < kLeastLetters) return;
  std::vector<std::string>& forms = wrong_[good];
  if (std::find(forms.begin(), forms.end(), bad) != forms.end()) return;
  forms.push_back(std::move(bad));
}

Misspellings Misspellings::Part(bool held_out) const {
  Misspellings part;
  for (const auto& [right, wrong] : wrong_) {
    if ((Hash64(right) % kHeldOutOneIn == 0) != held_out) continue;
    part.wrong_.emplace(right, wrong);
  }
  return part;
}

const std::vector<std::string>& Misspellings::Of(
    const std::string& word) const {
  static const std::vector<std::string> none;
  const auto found = wrong_.find(word);
  return found == wrong_.end() ? none : found->second;
}

}  // namespace quaver

// The QWERTY keyboard as a table of neighbours.
#include "quaver/text/keyboard.h"

#include <array>

namespace quaver {
namespace {

// Two keys touch when they are in one row side by side, or in rows one above
// the other and at most three quarters of a key apart.
constexpr std::array<std::u32string_view, 26> kLetters = {
    U"qwsz",    // a
    U"vghn",    // b
    U"xdfv",    // c
    U"sefxcr",  // d
    U"wsdr34",  // e
    U"drgcvt",  // f
    U"fthvby",  // g
    U"gyjbnu",  // h
    U"ujko89",  // i
    U"huknmi",  // j
    U"jilmo",   // k
    U"kop",     // l
    U"njk",     // m
    U"bhjm",    // n
    U"iklp90",  // o
    U"ol0",     // p
    U"wa12",    // q
    U"edft45",  // r
    U"awdzxe",  // s
    U"rfgy56",  // t
    U"yhji78",  // u
    U"cfgb",    // v
    U"qase23",  // w
    U"zsdc",    // x
    U"tghu67",  // y
    U"asx",     // z
};
constexpr std::array<std::u32string_view, 10> kDigits = {
    U"9op",   // 0
    U"2q",    // 1
    U"13qw",  // 2
    U"24we",  // 3
    U"35er",  // 4
    U"46rt",  // 5
    U"57ty",  // 6
    U"68yu",  // 7
    U"79ui",  // 8
    U"80io",  // 9
};

}  // namespace

std::u32string_view NearKeys(char32_t key) {
  if (key >= U'a' && key <= U'z') return kLetters[key - U'a'];
  if (key >= U'0' && key <= U'9') return kDigits[key - U'0'];
  return {};
}

}  // namespace quaver

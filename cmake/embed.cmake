# Writes files as byte arrays into one C++ source.
#   cmake -DOUTPUT=FILE "-DPATHS=web/a.js,web/b.css" -DHEADER=quaver/api/pages.h
#         -DFUNCTION=EmbeddedFiles -P embed.cmake
# quaver_embed(TARGET HEADER FUNCTION FILES...) does so at build time: the
# function that the header declares returns them as structs {name, content}.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(QUAVER_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
  function(quaver_embed target header function)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded.cc)
    list(JOIN ARGN "," paths)
    add_custom_command(OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} "-DPATHS=${paths}"
              -DHEADER=${header} -DFUNCTION=${function} -P ${QUAVER_EMBED_SCRIPT}
      DEPENDS ${ARGN} ${QUAVER_EMBED_SCRIPT} VERBATIM)
    target_sources(${target} PRIVATE ${output})
  endfunction()
  return()
endif()

string(REPLACE "," ";" paths "${PATHS}")
set(arrays "")
set(entries "")
foreach(path ${paths})
  get_filename_component(name ${path} NAME)
  string(MAKE_C_IDENTIFIER "k_${name}" array)
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "constexpr char ${array}[] = {${bytes}'\\0'};\n")
  string(APPEND entries "    {\"${name}\", {${array}, sizeof(${array}) - 1}},\n")
endforeach()
file(WRITE ${OUTPUT} "// Written by cmake/embed.cmake.
#include \"${HEADER}\"
#include <type_traits>
namespace quaver {
namespace {
using File = std::remove_cvref_t<decltype(${FUNCTION}()[0])>;
${arrays}constexpr File kFiles[] = {
${entries}};
}  // namespace
std::span<const File> ${FUNCTION}() { return kFiles; }
}  // namespace quaver
")

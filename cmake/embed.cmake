# Writes files as byte arrays into one C++ source.
#   cmake -DOUTPUT=FILE "-DPATHS=web/a.js,web/b.css" -P embed.cmake
# quaver_embed(TARGET FILES...) does so at build time, for quaver/api/pages.h.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(QUAVER_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
  function(quaver_embed target)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded.cc)
    list(JOIN ARGN "," paths)
    add_custom_command(OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} "-DPATHS=${paths}"
              -P ${QUAVER_EMBED_SCRIPT}
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
#include \"quaver/api/pages.h\"
namespace quaver {
namespace {
${arrays}constexpr EmbeddedFile kFiles[] = {
${entries}};
}  // namespace
std::span<const EmbeddedFile> EmbeddedFiles() { return kFiles; }
}  // namespace quaver
")

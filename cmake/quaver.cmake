# Flags common to every target, and the function that declares a room.

add_library(quaver_flags INTERFACE)
target_include_directories(quaver_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(quaver_flags INTERFACE -Wall -Wextra -Wno-psabi
  -Wno-missing-field-initializers
  -fno-omit-frame-pointer)
if(QUAVER_WERROR)
  target_compile_options(quaver_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # stable_sort of libstdc++ 12 calls what clang 19 holds deprecated.
  target_compile_options(quaver_flags INTERFACE -Wno-deprecated-declarations)
endif()
if(QUAVER_SANITIZE)
  target_compile_options(quaver_flags INTERFACE
    -fsanitize=${QUAVER_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(quaver_flags INTERFACE -fsanitize=${QUAVER_SANITIZE})
endif()

# quaver_room(NAME [DEPS targets...])
# Every .cc of the folder makes the library quaver_NAME, except *_test.cc,
# which make NAME_test, *_bench.cc, which make NAME_bench, and *_fuzz.cc, of
# which each makes a fuzzer of its own.
function(quaver_room name)
  cmake_parse_arguments(ARG "" "" "DEPS;TEST_DEPS" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc ${dir}/isa/*.cc
       ${dir}/internal/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS ${dir}/*_test.cc)
  file(GLOB benches CONFIGURE_DEPENDS ${dir}/*_bench.cc)
  file(GLOB fuzzers CONFIGURE_DEPENDS ${dir}/*_fuzz.cc)
  list(REMOVE_ITEM sources ${tests} ${benches} ${fuzzers} ${dir}/main.cc)
  add_library(quaver_${name} STATIC ${sources})
  target_link_libraries(quaver_${name} PUBLIC quaver_flags ${ARG_DEPS})
  if(QUAVER_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE quaver_${name} ${ARG_TEST_DEPS}
      GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
      QUAVER_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name}_test
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endif()
  if(benches AND benchmark_FOUND)
    add_executable(${name}_bench EXCLUDE_FROM_ALL ${benches})
    target_link_libraries(${name}_bench PRIVATE quaver_${name}
      benchmark::benchmark_main)
  endif()
  if(QUAVER_FUZZ)
    foreach(fuzzer ${fuzzers})
      get_filename_component(target ${fuzzer} NAME_WE)
      add_executable(${target} ${fuzzer})
      target_link_libraries(${target} PRIVATE quaver_${name} ${ARG_TEST_DEPS})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()

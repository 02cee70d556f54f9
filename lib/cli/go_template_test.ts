import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { fillTemplate, formatByTemplate } from "./go_template.ts";

const VALUE = {
  Id: "sha256:1",
  RepoTags: ["web:1", "web:2"],
  Config: { Env: ["A=1"], User: "", Labels: { b: "2", a: "1" }, Cmd: null },
  Size: 5,
};

Deno.test("fillTemplate prints fields as Go does", () => {
  for (
    const [template, wanted] of [
      ["{{.Id}}", "sha256:1"],
      ["{{ .Config.Env }} {{.Size}}\\n", "[A=1] 5\n"],
      ["{{json .RepoTags}}", '["web:1","web:2"]'],
      ["{{.Config.Labels}}{{.Config.Cmd}}", "map[a:1 b:2]<no value>"],
      ['{{index .RepoTags 1}} {{index .Config.Labels "b"}}', "web:2 2"],
      ['{{join .RepoTags ", "}} {{len .RepoTags}} {{.Id | upper}}', "web:1, web:2 2 SHA256:1"],
      ["{{range .RepoTags}}<{{.}}>{{end}}", "<web:1><web:2>"],
      ["{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"],
      ["{{range $i, $t := .RepoTags}}{{if $i}}, {{end}}{{$t}}{{end}}", "web:1, web:2"],
      ["{{if .Config.User}}{{.Config.User}}{{else}}root{{end}}", "root"],
      ["{{with .Config}}{{.Env}}{{end}} {{$.Id}}", "[A=1] sha256:1"],
      ['{{if eq .Id "sha256:1"}}yes{{end}}{{if not .Config.Env}}no{{end}}', "yes"],
      ["{{range .Config.Cmd}}x{{else}}none{{end}}", "none"],
      ['a {{- " b" -}} c {{printf "%s-%d" .Id .Size}}', "a bc sha256:1-5"],
      ["{{(index .RepoTags 0) | json}}", '"web:1"'],
    ] as const
  ) {
    assertEquals(fillTemplate(template, VALUE), wanted, template);
  }
  assertEquals(formatByTemplate("json", [1]), "[1]");
});

Deno.test("fillTemplate refuses what makes no sense", () => {
  for (const template of ["{{.Nothing}}", "{{.Id.x}}", "{{Id}}", "{{.Id", "{{if .Id}}", "{{end}}", "{{frob .Id}}"]) {
    assertThrows(() => fillTemplate(template, VALUE), UsageError, "--format", template);
  }
});

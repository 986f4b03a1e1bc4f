//! JSON lines.

use super::*;

fn read_json(text: &str, columns: Option<&ir::Schema>) -> Outcome<Read> {
    let dir = folder(&[("a.jsonl", text.as_bytes())]);
    read(&ingest("a.jsonl", Reader::JsonLines), columns, dir.path())
}

#[test]
fn scalars_keep_their_spelling_and_nested_values_become_text() {
    let text = "{\"id\": \"001\", \"n\": 1.10, \"o\": {\"b\" : [1, \"x y\"]}}\n\n\
                {\"N\":12345678901234567890,\"id\":\"a\\\"\\u00e9\\n\"}\r\n{\"id\":null,\"o\":true,\"n\":\"\"}";
    let read = read_json(text, Some(&contract(&["n", "id", "o"]))).expect("readable");
    assert_eq!(
        rows(&read),
        [
            row(&["1.10", "001", "{\"b\":[1,\"x y\"]}"]),
            row(&["12345678901234567890", "a\"é\n", "NULL"]),
            row(&["", "NULL", "true"]),
        ]
    );
    assert_eq!(lines_of(&read), [1, 3, 4]);
}

#[test]
fn without_a_contract_the_keys_of_the_beginning_are_the_columns() {
    let read = read_json("{\"a\":1}\n{\"b\":2,\"a\":3}\n", None).expect("readable");
    assert_eq!(rows(&read), [row(&["1", "NULL"]), row(&["3", "2"])]);
}

#[test]
fn nested_values_stay_text_until_the_contract_casts_them() {
    let mut columns = contract(&["id", "tags"]);
    columns.columns[1].data_type = ir::DataType::parse("array<struct<k:string,v:int>>").expect("a type");
    let read =
        read_json("{\"id\":1,\"tags\":[{\"k\":\"x\",\"v\":1}]}\n{\"id\":2}\n", Some(&columns)).expect("readable");
    assert_eq!(rows(&read), [row(&["1", "[{\"k\":\"x\",\"v\":1}]"]), row(&["2", "NULL"])]);
}

#[test]
fn what_is_not_json_lines_is_named_by_line_and_column() {
    let columns = contract(&["amount", "b"]);
    let unreadable =
        |text: &str, parts: &[&str]| wrong(read_json(text, Some(&columns)), code::SOURCE_UNREADABLE, parts);
    unreadable("{\"b\":1}\n{\"b\":1,}\n", &["`a.jsonl` line 2 column 8", "a key in double quotes"]);
    unreadable("{\"b\":01}\n", &["line 1 column"]);
    unreadable("{\"b\":nul}\n", &["line 1 column"]);
    unreadable("{\"b\":\"x}\n", &["line 1 column 6", "does not end"]);
    unreadable("{\"b\":{\"c\":[}}\n", &["line 1 column"]);
    unreadable("[{\"b\":1}]\n", &["an object is expected", "not one array", "jq -c '.[]'"]);
    unreadable("{\n  \"b\": 1\n}\n", &["line 1", "the line ends", "jq -c ."]);
    unreadable("{\"b\":1} {\"b\":2}\n", &["line 1 column 9", "more behind"]);
    unreadable("{\"b\":1,\"B\":2}\n", &["twice"]);
    let unknown = read_json("{\"b\":1}\n{\"amout\":1}\n", Some(&columns));
    wrong(unknown, code::SOURCE_HEADER, &["line 2", "`amout`", "there is `amount`"]);
}

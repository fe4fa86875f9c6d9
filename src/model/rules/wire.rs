//! The form of a reply: what its bytes are, whatever it says.

/// The form of the reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    pub refusal_status: u16,
    pub status_words: StatusWords,
    pub leaves_out: LeftOut,
    pub item: ItemForm,
    pub codes_as_strings: bool,
    pub seqs_as_strings: bool,
    pub info: Info,
    pub list_name: &'static str,
    /// Adds fields that the documentation does not list, which is lawful.
    pub extra_fields: bool,
    pub echoes_sent_value: bool,
    pub body: BodyForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWords {
    Documented,
    Lowercase,
    AlwaysOk,
    Missing,
    /// One failed key makes it FAIL, whatever the code beside it.
    FailsInPart,
}

/// What is left out of a reply where it is 0 or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    Nothing,
    Code,
    ItemCodes,
    Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemForm {
    Wrapped,
    /// Key, Value and Seq beside `ErrorCode`.
    Flat,
    WithoutCode,
    WithoutSeq,
    WithoutValue,
    /// An object from key to result in place of the list.
    ByKey,
    /// `Extension` is null where the key failed.
    NullWhereFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Info {
    Reason,
    Empty,
    Missing,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    Json,
    Html,
    Empty,
    Latin1,
    InArray,
    WithByteOrderMark,
    InCallback,
    Twice,
    CutTo(usize),
}

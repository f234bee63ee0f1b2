//! Finds what can be changed in a file: the mutants of its production functions.
//!
//! Left alone is what runs at compile time (constants, patterns, types, attributes), what the parser does not
//! see (the inside of macros), tests, and what only prints for debugging.

use crate::mutant::{Form, Mutant};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, Lit, ReturnType, Stmt, Type, UnOp};

/// Methods that stand for each other.
const METHODS: [(&str, &str); 12] = [
    ("min", "max"),
    ("max", "min"),
    ("is_some", "is_none"),
    ("is_none", "is_some"),
    ("is_ok", "is_err"),
    ("is_err", "is_ok"),
    ("any", "all"),
    ("all", "any"),
    ("saturating_sub", "saturating_add"),
    ("saturating_add", "saturating_sub"),
    ("floor", "ceil"),
    ("ceil", "floor"),
];

/// Calls whose arguments change no result.
const HINTS: [&str; 3] = ["with_capacity", "reserve", "expect"];

/// All mutants of a file, in the order of its text; `path` is from the root of the repository.
pub(crate) fn mutants(path: &str, text: &str) -> Vec<Mutant> {
    let file = syn::parse_file(text).expect("the repository's own source is Rust");
    let mut finder = Finder {
        path,
        text,
        function: Vec::new(),
        found: Vec::new(),
    };
    finder.visit_file(&file);
    let mut found = finder.found;
    found.sort_by_key(|m| (m.from, std::cmp::Reverse(m.to)));
    // The same change of the same text in one function: told apart by their order.
    for i in 0..found.len() {
        let twins = found[..i].iter().filter(|m| m.first_name == found[i].name);
        let before = twins.count();
        if before > 0 {
            found[i].name = format!("{} #{}", found[i].name, before + 1);
        }
    }
    found
}

struct Finder<'a> {
    path: &'a str,
    text: &'a str,
    /// The names of types and functions around.
    function: Vec<String>,
    found: Vec<Mutant>,
}

impl Finder<'_> {
    fn source(&self, span: Span) -> &str {
        &self.text[span.byte_range()]
    }

    /// Notes that `span` may become `instead`; `what` says the change in short.
    fn add(&mut self, form: Form, span: Span, instead: String, what: &str) {
        let range = span.byte_range();
        let shown = match form {
            Form::Body => String::new(),
            _ => format!(" in `{}`", squeezed(&self.text[range.clone()])),
        };
        let name = format!("{} {}: {what}{shown}", self.path, self.function.join("::"));
        self.found.push(Mutant {
            id: 0,
            first_name: name.clone(),
            name,
            file: self.path.to_owned(),
            line: span.start().line,
            form,
            from: range.start,
            to: range.end,
            instead,
        });
    }

    fn expression(&mut self, of: &impl Spanned, instead: String, what: &str) {
        self.add(Form::Expression, of.span(), instead, what);
    }

    /// A function with a body: the mutants that leave the body out, and those within.
    fn body(&mut self, attrs: &[syn::Attribute], sig: &syn::Signature, block: &syn::Block) {
        if sig.constness.is_some() || is_test(attrs) || block.stmts.is_empty() {
            return;
        }
        self.function.push(sig.ident.to_string());
        let open = block.brace_token.span.open();
        let inside = self
            .source(block.span())
            .trim_matches(['{', '}'])
            .trim()
            .to_owned();
        for value in values(&sig.output) {
            if value != inside {
                let instead = format!("return {value};");
                self.add(Form::Body, open, instead, &format!("only `return {value}`"));
            }
        }
        self.visit_block(block);
        self.function.pop();
    }

    /// The condition of an `if`, held to a value.
    fn condition(&mut self, cond: &Expr, values: &[&str]) {
        if !has_let(cond) {
            for value in values {
                self.expression(
                    cond,
                    (*value).to_owned(),
                    &format!("`{value}` as condition"),
                );
            }
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Fn(f) => self.body(&f.attrs, &f.sig, &f.block),
            syn::Item::Mod(m) if !is_test(&m.attrs) => visit::visit_item_mod(self, m),
            syn::Item::Trait(t) if !is_test(&t.attrs) => visit::visit_item_trait(self, t),
            syn::Item::Impl(i) => {
                let of = i.trait_.as_ref().and_then(|(path, _)| path.segments.last());
                if is_test(&i.attrs) || of.is_some_and(|t| t.ident == "Debug") {
                    return;
                }
                let name = squeezed(self.source(i.self_ty.span()));
                self.function
                    .push(name.split('<').next().unwrap_or_default().to_owned());
                visit::visit_item_impl(self, i);
                self.function.pop();
            }
            _ => {}
        }
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        self.body(&f.attrs, &f.sig, &f.block);
    }

    fn visit_trait_item_fn(&mut self, f: &'ast syn::TraitItemFn) {
        if let Some(block) = &f.default {
            self.body(&f.attrs, &f.sig, block);
        }
    }

    // What is decided when the program is compiled.
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_generics(&mut self, _: &'ast syn::Generics) {}
    fn visit_path(&mut self, _: &'ast syn::Path) {}
    fn visit_angle_bracketed_generic_arguments(
        &mut self,
        _: &'ast syn::AngleBracketedGenericArguments,
    ) {
    }
    fn visit_expr_repeat(&mut self, e: &'ast syn::ExprRepeat) {
        self.visit_expr(&e.expr);
    }

    fn visit_expr_binary(&mut self, e: &'ast syn::ExprBinary) {
        let op = self.source(e.op.span()).to_owned();
        if let Some(other) = other_operator(&e.op)
            && !has_let(&e.left)
            && !has_let(&e.right)
        {
            let (left, right) = (self.source(e.left.span()), self.source(e.right.span()));
            let instead = format!("{left} {other} {right}");
            self.expression(e, instead, &format!("`{other}` for `{op}`"));
        }
        visit::visit_expr_binary(self, e);
    }

    fn visit_expr_unary(&mut self, e: &'ast syn::ExprUnary) {
        if matches!(e.op, UnOp::Not(_)) {
            let instead = self.source(e.expr.span()).to_owned();
            self.expression(e, instead, "no `!`");
        }
        visit::visit_expr_unary(self, e);
    }

    fn visit_expr_lit(&mut self, e: &'ast syn::ExprLit) {
        if let Lit::Int(n) = &e.lit
            && let Ok(value) = n.base10_parse::<u128>()
        {
            let instead = format!("{}{}", value + 1, n.suffix());
            self.expression(e, instead, &format!("{}", value + 1));
            // A bare number says nothing of where it stands.
            let line = self.text.lines().nth(e.span().start().line - 1);
            if let (Some(m), Some(line)) = (self.found.last_mut(), line) {
                m.name = format!("{} of `{}`", m.name, squeezed(line));
                m.first_name = m.name.clone();
            }
        }
    }

    fn visit_expr_method_call(&mut self, e: &'ast syn::ExprMethodCall) {
        let method = e.method.to_string();
        if let Some((_, other)) = METHODS.iter().find(|(m, _)| *m == method) {
            let all = e.span().byte_range();
            let name = e.method.span().byte_range();
            let (before, after) = (all.start..name.start, name.end..all.end);
            let instead = format!("{}{other}{}", &self.text[before], &self.text[after]);
            self.expression(e, instead, &format!("`{other}` for `{method}`"));
        }
        if HINTS.contains(&method.as_str()) {
            self.visit_expr(&e.receiver);
        } else {
            visit::visit_expr_method_call(self, e);
        }
    }

    fn visit_expr_call(&mut self, e: &'ast syn::ExprCall) {
        let function = self.source(e.func.span());
        if !HINTS.iter().any(|h| function.ends_with(h)) {
            visit::visit_expr_call(self, e);
        }
    }

    fn visit_expr_if(&mut self, e: &'ast syn::ExprIf) {
        self.condition(&e.cond, &["true", "false"]);
        visit::visit_expr_if(self, e);
    }

    fn visit_expr_while(&mut self, e: &'ast syn::ExprWhile) {
        self.condition(&e.cond, &["false"]);
        visit::visit_expr_while(self, e);
    }

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        if let Stmt::Expr(e, Some(_)) = stmt
            && is_call(e)
        {
            self.add(Form::Statement, stmt.span(), String::new(), "left out");
        }
        visit::visit_stmt(self, stmt);
    }
}

/// Whether it belongs to the tests.
fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|a| match &a.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::NameValue(_) => false,
    })
}

/// Whether it is a condition with `let`, which stands nowhere but there.
fn has_let(e: &Expr) -> bool {
    match e {
        Expr::Let(_) => true,
        Expr::Binary(b) => has_let(&b.left) || has_let(&b.right),
        _ => false,
    }
}

/// A method that is called for what it does.
fn is_call(e: &Expr) -> bool {
    match e {
        Expr::MethodCall(_) => true,
        Expr::Await(e) => is_call(&e.base),
        Expr::Try(e) => is_call(&e.expr),
        _ => false,
    }
}

fn other_operator(op: &BinOp) -> Option<&'static str> {
    Some(match op {
        BinOp::Lt(_) => "<=",
        BinOp::Le(_) => "<",
        BinOp::Gt(_) => ">=",
        BinOp::Ge(_) => ">",
        BinOp::Eq(_) => "!=",
        BinOp::Ne(_) => "==",
        BinOp::Add(_) => "-",
        BinOp::Sub(_) => "+",
        BinOp::Mul(_) => "/",
        BinOp::Div(_) => "*",
        BinOp::Rem(_) => "/",
        BinOp::And(_) => "||",
        BinOp::Or(_) => "&&",
        BinOp::AddAssign(_) => "-=",
        BinOp::SubAssign(_) => "+=",
        BinOp::MulAssign(_) => "/=",
        BinOp::DivAssign(_) => "*=",
        _ => return None,
    })
}

/// What a function may return instead of what it computes.
fn values(output: &ReturnType) -> Vec<&'static str> {
    let ty = match output {
        ReturnType::Default => return vec!["()"],
        ReturnType::Type(_, ty) => ty,
    };
    let Type::Path(path) = &**ty else {
        return Vec::new();
    };
    let Some(last) = path.path.segments.last() else {
        return Vec::new();
    };
    match last.ident.to_string().as_str() {
        "bool" => vec!["true", "false"],
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i32" | "i64" | "i128" => vec!["0", "1"],
        "f64" => vec!["0.0", "1.0"],
        "Option" => vec!["None"],
        "Result" => vec!["Ok(Default::default())"],
        // What makes a thing has no other to give.
        "Self" => Vec::new(),
        _ => vec!["Default::default()"],
    }
}

/// The text on one line, and no longer than helps to find it.
fn squeezed(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

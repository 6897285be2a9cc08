// A capture condition as a user writes it, to one for the WHEN of a trigger. What is wrong with it is said here.
#include "parse_condition.hpp"

#include "postgres.hpp"
#include "scope.hpp"

namespace waybill {

namespace {

constexpr std::string_view before = "SELECT (\n";
constexpr const char *behind = "\n)"; // on a line of its own: a comment may end the condition

// For errors in it: their place in the condition, not in what surrounds it.
void tell_condition(void *condition) {
    if (const int position = geterrposition(); position > 0) {
        errposition(0);
        internalerrposition(position - static_cast<int>(before.size()));
        internalerrquery(static_cast<const char *>(condition));
    }
    errcontext("condition for the capture of a table");
}

const SelectStmt *only_select(const List *statements) {
    if (list_length(statements) != 1) return nullptr;
    const auto *statement = static_cast<const RawStmt *>(linitial(statements));
    if (!IsA(statement->stmt, SelectStmt)) return nullptr;
    const auto *select = reinterpret_cast<const SelectStmt *>(statement->stmt);
    return list_length(select->targetList) == 1 ? select : nullptr;
}

ResTarget *target(const SelectStmt *select) {
    return static_cast<ResTarget *>(linitial(select->targetList));
}

// The one expression in the text of `SELECT (condition)`: when that is not all that is there, the condition closes our
// parenthesis and goes on with something else.
Node *raw_expression(const char *text) {
    const SelectStmt *select = only_select(parse_statements(text));
    const SelectStmt *plain = only_select(parse_statements("SELECT (NULL)"));
    if (select != nullptr) target(plain)->val = target(select)->val;
    if (select == nullptr || !equal(select, plain))
        ereport(ERROR, errcode(ERRCODE_SYNTAX_ERROR), errmsg("a capture condition must be one expression"));
    return target(select)->val;
}

bool is_mutable(Oid function, void *found) {
    if (func_volatile(function) == PROVOLATILE_IMMUTABLE) return false;
    *static_cast<Oid *>(found) = function;
    return true;
}

bool find_mutable_function(Node *node, void *found) {
    return node != nullptr &&
           (check_functions_in_node(node, is_mutable, found) || walk_expression(node, find_mutable_function, found));
}

void check_immutable(Node *expression) {
    // Planned, so that default arguments are there, as for an index.
    auto *planned = reinterpret_cast<Node *>(expression_planner(reinterpret_cast<Expr *>(expression)));
    if (!contain_mutable_functions(planned)) return;
    Oid function = InvalidOid;
    find_mutable_function(planned, &function);
    ereport(ERROR, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
            errmsg("functions in a capture condition must be immutable"),
            OidIsValid(function) ? errdetail("Function %s is not.", format_procedure_qualified(function)) : 0,
            errhint("A row must satisfy the condition for as long as it is as it is: compare its columns with each "
                    "other and with constants."));
}

struct Parse {
    Relation relation;
    ParseState *state;
};

void check_column(const Parse &parse, const Var &column) {
    const TupleDesc descriptor = RelationGetDescr(parse.relation);
    if (column.varattno > 0 && is_stored(*TupleDescAttr(descriptor, column.varattno - 1))) return;
    ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
            column.varattno == 0  ? errmsg("a capture condition cannot use whole rows")
            : column.varattno < 0 ? errmsg("a capture condition cannot use system columns")
                                  : errmsg("a capture condition cannot use virtual generated columns"),
            column.varattno > 0 ? errhint("Write the expression of the column in its place.")
                                : errhint("Name columns of the table that are stored."),
            parser_errposition(parse.state, column.location));
}

// Operators are looked up in pg_catalog: for a type of users, citext say, one of another type might be found there.
void check_cast(const Parse &parse, Node *cast, Node *argument, CoercionForm form) {
    const Oid type = getBaseType(exprType(argument));
    if (form != COERCE_IMPLICIT_CAST || type < FirstNormalObjectId) return;
    ereport(ERROR, errcode(ERRCODE_AMBIGUOUS_FUNCTION),
            errmsg("a value of type %s is used as %s in a capture condition", format_type_be(type),
                   format_type_be(exprType(cast))),
            errhint("Functions and operators that are not PostgreSQL's own need their schema: a OPERATOR(schema.=) b. "
                    "Or cast the value explicitly."),
            parser_errposition(parse.state, exprLocation(argument)));
}

bool is_collatable(Node *node, void *context) {
    if (node == nullptr) return false;
    return IsA(node, List) ? walk_expression(node, is_collatable, context) : type_is_collatable(exprType(node));
}

// Whether arguments are compared, or whatever else is done with them, whose collations contradict each other.
bool lacks_collation(Node *node) {
    if (IsA(node, RowCompareExpr)) {
        const auto *comparison = reinterpret_cast<const RowCompareExpr *>(node);
        for (int i = 0; i < list_length(comparison->largs); ++i)
            if (!OidIsValid(list_nth_oid(comparison->inputcollids, i)) &&
                is_collatable(static_cast<Node *>(list_nth(comparison->largs, i)), nullptr))
                return true;
        return false;
    }
    const bool has_arguments = IsA(node, FuncExpr) || IsA(node, OpExpr) || IsA(node, DistinctExpr) ||
                               IsA(node, NullIfExpr) || IsA(node, ScalarArrayOpExpr) || IsA(node, MinMaxExpr);
    return has_arguments && !OidIsValid(exprInputCollation(node)) && walk_expression(node, is_collatable, nullptr);
}

void check_collation(const Parse &parse, Node *node) {
    if (!lacks_collation(node)) return;
    ereport(ERROR, errcode(ERRCODE_INDETERMINATE_COLLATION),
            errmsg("a capture condition must say which collation counts"), errhint("Add COLLATE to one of the values."),
            parser_errposition(parse.state, exprLocation(node)));
}

bool check_node(Node *node, void *context) {
    if (node == nullptr) return false;
    const Parse &parse = *static_cast<const Parse *>(context);
    check_collation(parse, node);
    if (IsA(node, Var)) check_column(parse, *reinterpret_cast<const Var *>(node));
    if (IsA(node, RelabelType)) {
        const auto *cast = reinterpret_cast<const RelabelType *>(node);
        check_cast(parse, node, reinterpret_cast<Node *>(cast->arg), cast->relabelformat);
    }
    if (IsA(node, CoerceViaIO)) {
        const auto *cast = reinterpret_cast<const CoerceViaIO *>(node);
        check_cast(parse, node, reinterpret_cast<Node *>(cast->arg), cast->coerceformat);
    }
    if (IsA(node, FuncExpr)) {
        const auto *call = reinterpret_cast<const FuncExpr *>(node);
        if (call->args != NIL) check_cast(parse, node, static_cast<Node *>(linitial(call->args)), call->funcformat);
    }
    return walk_expression(node, check_node, context);
}

Node *parse_once(Relation relation, const char *condition) {
    Node *expression = nullptr;
    with_error_context(tell_condition, const_cast<char *>(condition), [&] {
        const char *text = psprintf("%s%s%s", before.data(), condition, behind);
        ParseState *state = make_parsestate(nullptr);
        state->p_sourcetext = text;
        addNSItemToQuery(state, addRangeTableEntryForRelation(state, relation, AccessShareLock, nullptr, false, true),
                         false, true, true);
        expression = transformWhereClause(state, raw_expression(text), EXPR_KIND_TRIGGER_WHEN, "condition =>");
        assign_expr_collations(state, expression);
        Parse parse{.relation = relation, .state = state};
        check_node(expression, &parse);
        check_immutable(expression);
    });
    return expression;
}

// What pg_get_expr() makes of a trigger's WHEN on OLD: its rows have the same number.
const char *print(Relation relation, Node *expression) {
    return TextDatumGetCString(DirectFunctionCall2(pg_get_expr, CStringGetTextDatum(nodeToString(expression)),
                                                   ObjectIdGetDatum(RelationGetRelid(relation))));
}

} // namespace

ParsedCondition parse_condition(Oid table, const char *condition) {
    Relation relation = relation_open(table, AccessShareLock);
    ParsedCondition parsed{.text = nullptr, .expression = parse_once(relation, condition)};
    static constexpr std::array<SettingValue, 4> whole{{{"datestyle", "ISO"},
                                                        {"extra_float_digits", "1"},
                                                        {"quote_all_identifiers", "off"},
                                                        {"standard_conforming_strings", "on"}}};
    with_settings(whole, [&] {
        // What is printed may be printed in yet another form when it was read again (lists of IN); then it stays as it
        // is.
        for (int i = 0; i < 3; ++i)
            parsed.expression = parse_once(relation, parsed.text = print(relation, parsed.expression));
    });
    relation_close(relation, NoLock);
    return parsed;
}

} // namespace waybill

extern "C" {

PG_FUNCTION_INFO_V1(waybill_capture_condition);
PGDLLEXPORT Datum waybill_capture_condition(PG_FUNCTION_ARGS);

// The function of the disabled trigger that keeps a condition: there is nothing to do if somebody enables it.
Datum waybill_capture_condition(PG_FUNCTION_ARGS) {
    return Datum{0};
}

} // extern "C"

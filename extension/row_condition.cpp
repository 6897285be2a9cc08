// The condition of a captured table, evaluated.
#include "row_condition.hpp"

#include "scope.hpp"

namespace waybill {

namespace {

// As the executor has it, reused from row to row.
struct Evaluator {
    ExprState *state;
    ExprContext *context;
    bool depends_on_settings; // functions of users may
};

} // namespace

struct RowCondition {
    Expr *expression;
    char *table;
    Oid owner;
    bool can_change;
    Evaluator evaluator;
};

namespace {

// While a cached evaluator is at work none is used: a function in a condition may change captured tables itself. After
// an error it stays set until the transaction ends, because what was broken off cannot be gone on with.
bool evaluating;

bool is_of_users(Oid function, void *) {
    return function >= FirstNormalObjectId;
}

bool calls_functions_of_users(Node *node, void *context) {
    return node != nullptr && (check_functions_in_node(node, is_of_users, context) ||
                               walk_expression(node, calls_functions_of_users, context));
}

// (A domain's functions go with its type.)
bool uses_objects_of_users(Node *node, void *context) {
    return node != nullptr && ((!IsA(node, List) && exprType(node) >= FirstNormalObjectId) ||
                               check_functions_in_node(node, is_of_users, context) ||
                               walk_expression(node, uses_objects_of_users, context));
}

// Runs `work` with the privileges of a role. On ERROR the abort of the (sub)transaction goes back to the present one.
template <typename Work>
void with_role(Oid role, Work work) {
    Oid before;
    int security_context;
    GetUserIdAndSecContext(&before, &security_context);
    SetUserIdAndSecContext(role, security_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    work();
    SetUserIdAndSecContext(before, security_context);
}

Evaluator make_evaluator(const RowCondition &condition) {
    Evaluator evaluator{};
    // Bodies of SQL functions become part of the expression here: their names must mean what they always mean.
    with_role(condition.owner, [&] {
        with_pinned_settings([&] {
            Expr *planned = expression_planner(condition.expression);
            evaluator.depends_on_settings = calls_functions_of_users(reinterpret_cast<Node *>(planned), nullptr);
            evaluator.state = ExecInitQual(make_ands_implicit(planned), nullptr);
            evaluator.context = CreateStandaloneExprContext();
        });
    });
    return evaluator;
}

void tell_condition(void *table) {
    errcontext("waybill's condition for the capture of table \"%s\"", static_cast<const char *>(table));
}

bool evaluate(const RowCondition &condition, const Evaluator &evaluator, TupleTableSlot *row) {
    bool satisfied = false;
    evaluator.context->ecxt_scantuple = row;
    const auto run = [&] { satisfied = ExecQual(evaluator.state, evaluator.context); };
    with_error_context(tell_condition, condition.table, [&] {
        if (evaluator.depends_on_settings)
            with_pinned_settings(run);
        else
            run();
    });
    ResetExprContext(evaluator.context);
    return satisfied;
}

} // namespace

const RowCondition *make_row_condition(const char *when, const RelationData &relation, Oid owner) {
    auto *condition = static_cast<RowCondition *>(palloc0(sizeof(RowCondition)));
    condition->expression = static_cast<Expr *>(stringToNode(when));
    condition->table = pstrdup(NameStr(relation.rd_rel->relname));
    condition->owner = owner;
    condition->can_change = uses_objects_of_users(reinterpret_cast<Node *>(condition->expression), nullptr);
    condition->evaluator = make_evaluator(*condition);
    return condition;
}

bool can_change(const RowCondition &condition) {
    return condition.can_change;
}

bool satisfies(const RowCondition &condition, TupleTableSlot *row) {
    if (evaluating) return evaluate(condition, make_evaluator(condition), row);
    evaluating = true;
    const bool satisfied = evaluate(condition, condition.evaluator, row);
    evaluating = false;
    return satisfied;
}

bool end_conditions() {
    return std::exchange(evaluating, false);
}

} // namespace waybill

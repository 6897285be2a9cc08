// The condition of a captured table, evaluated.
#include "row_condition.hpp"

#include "scope.hpp"

namespace waybill {

namespace {

// As the executor has it, reused from row to row.
struct Evaluator {
    Oid role; // that it was made for; invalid when there is none yet
    ExprState *state;
    ExprContext *context;
    bool depends_on_settings; // functions of users may
};

} // namespace

struct RowCondition {
    Expr *expression;
    char *table;
    bool can_change;
    Evaluator evaluator;
    MemoryContext evaluator_context; // owns what `evaluator` refers to
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

Evaluator make_evaluator(const RowCondition &condition) {
    Evaluator evaluator{};
    // Bodies of SQL functions become part of the expression here: their names must mean what they always mean.
    with_pinned_settings([&] {
        Expr *planned = expression_planner(condition.expression);
        evaluator.depends_on_settings = calls_functions_of_users(reinterpret_cast<Node *>(planned), nullptr);
        evaluator.state = ExecInitQual(make_ands_implicit(planned), nullptr);
        evaluator.context = CreateStandaloneExprContext();
    });
    evaluator.role = GetUserId();
    return evaluator;
}

// The evaluator for the present role: each writer's own rights on functions count.
const Evaluator &evaluator_of(RowCondition &condition) {
    if (condition.evaluator.role == GetUserId()) return condition.evaluator;
    condition.evaluator.role = InvalidOid; // in case of an error
    MemoryContextReset(condition.evaluator_context);
    condition.evaluator = with_memory_context(condition.evaluator_context, [&] { return make_evaluator(condition); });
    return condition.evaluator;
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

RowCondition *make_row_condition(const char *when, const RelationData &relation) {
    auto *condition = static_cast<RowCondition *>(palloc0(sizeof(RowCondition)));
    condition->expression = static_cast<Expr *>(stringToNode(when));
    condition->table = pstrdup(NameStr(relation.rd_rel->relname));
    condition->can_change = uses_objects_of_users(reinterpret_cast<Node *>(condition->expression), nullptr);
    condition->evaluator_context =
        AllocSetContextCreate(CurrentMemoryContext, "waybill condition", ALLOCSET_SMALL_SIZES);
    return condition;
}

bool can_change(const RowCondition &condition) {
    return condition.can_change;
}

bool satisfies(RowCondition &condition, TupleTableSlot *row) {
    if (evaluating) return evaluate(condition, make_evaluator(condition), row);
    evaluating = true;
    const bool satisfied = evaluate(condition, evaluator_of(condition), row);
    evaluating = false;
    return satisfied;
}

bool end_conditions() {
    return std::exchange(evaluating, false);
}

} // namespace waybill
